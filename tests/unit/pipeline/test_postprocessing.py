import tracemalloc

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mvsam.pipeline.encodings import decode_mask
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.postprocessing import MaskEncoding, postprocess, without_sprinkles
from mvsam.pipeline.request import Prompts

NO_CLICKS = np.zeros((0, 2), np.float32)
SIZES = np.array([[480, 640], [300, 200], [40, 50]], np.int32)


def no_prompts(objects: int) -> Prompts:
    return Prompts.of(np.zeros((objects, 0, 2)), np.zeros((objects, 0)), np.zeros((objects, 0)))


def smooth_logits(rng: np.random.Generator, objects: int, views: int) -> np.ndarray:
    coarse = torch.from_numpy(rng.normal(size=(objects, views, 4, 4)).astype(np.float32)) * 4
    return F.interpolate(coarse, (64, 64), mode="bicubic").numpy()


def masks_of(result, sizes=SIZES) -> list[list[np.ndarray]]:
    return [
        [decode_mask(data, MaskEncoding.RLE, tuple(size)) for data, size in zip(row, sizes, strict=True)]
        for row in result.masks
    ]


def test_masks_scores_and_areas_are_those_of_torchs_upsampled_logits(rng):
    logits = smooth_logits(rng, 2, 3)
    result = postprocess(logits, SIZES, no_prompts(2), MaskEncoding.RLE)
    for index, view in np.ndindex(2, 3):
        tensor = torch.from_numpy(logits[index, view])[None, None]
        upsampled = F.interpolate(tensor, tuple(SIZES[view]), mode="bilinear", align_corners=False)[0, 0]
        mask = masks_of(result)[index][view]
        expected = without_sprinkles((upsampled > 0).numpy(), NO_CLICKS)
        assert (mask != expected)[upsampled.abs().numpy() > 1e-4].sum() == 0
        assert result.areas[index, view] == mask.sum()
        assert result.scores[index, view] == pytest.approx(upsampled.sigmoid()[mask].mean().item(), abs=1e-5)


def test_an_empty_mask_scores_nothing():
    result = postprocess(np.full((1, 3, 16, 16), -3, np.float32), SIZES, no_prompts(1), MaskEncoding.RLE)
    assert not result.areas.any() and not result.scores.any()
    assert not any(mask.any() for mask in masks_of(result)[0])


def test_extreme_logits_are_certain_and_warn_of_nothing():
    result = postprocess(np.full((1, 3, 16, 16), 3e38, np.float32), SIZES, no_prompts(1), MaskEncoding.RLE)
    assert (result.scores == 1).all()
    assert (result.areas[0] == SIZES.prod(axis=1)).all()


def test_a_large_mask_takes_few_bytes_a_pixel(rng):
    side = 4200
    logits = smooth_logits(rng, 1, 1) + rng.normal(size=(1, 1, 64, 64)).astype(np.float32)
    tracemalloc.start()
    try:
        result = postprocess(logits, np.array([[side, side]], np.int32), no_prompts(1), MaskEncoding.RAW)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0 < result.areas[0, 0] < side**2
    assert peak < 8 * side**2, "the numbers of its regions, itself and, where some are dropped, its copy"


def test_logits_of_a_large_mask_are_interpolated_as_in_one_piece(rng):
    logits, size = smooth_logits(rng, 1, 1) + rng.normal(size=(1, 1, 64, 64)).astype(np.float32), (4300, 3907)
    result = postprocess(logits, np.array([size], np.int32), no_prompts(1), MaskEncoding.RAW)
    upsampled = F.interpolate(torch.from_numpy(logits), size, mode="bilinear", align_corners=False)[0, 0].numpy()
    expected = without_sprinkles(upsampled > 0, NO_CLICKS)
    found = decode_mask(result.masks[0, 0], MaskEncoding.RAW, size)
    assert not (found != expected)[abs(upsampled) > 1e-4].any()
    assert result.scores[0, 0] == pytest.approx((1 / (1 + np.exp(-upsampled[expected]))).mean(), abs=1e-5)


def test_permuting_views_permutes_everything(rng):
    logits, order = smooth_logits(rng, 2, 3), [2, 0, 1]
    clicks = Prompts.of([[[3, 2]], [[9, 9]]], [[1], [1]], [[0], [2]])
    moved = Prompts.of(clicks.points, clicks.point_labels, [[order.index(0)], [order.index(2)]])
    before = postprocess(logits, SIZES, clicks, MaskEncoding.RLE)
    after = postprocess(logits[:, order], SIZES[order], moved, MaskEncoding.RLE)
    for name in ("masks", "scores", "areas"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name)[:, order])


def test_sprinkles_go_and_regions_stay():
    mask = np.zeros((100, 100), bool)  # 0.1 % is 10 pixels
    mask[10:40, 10:40] = True
    mask[60, 60:69] = True
    mask[80, 80:90] = True
    kept = without_sprinkles(mask, NO_CLICKS)
    assert kept[10:40, 10:40].all() and kept[80, 80:90].all()
    assert not kept[60].any()


def test_regions_that_touch_at_a_corner_are_one():
    mask = np.zeros((100, 100), bool)
    mask[np.arange(20, 32), np.arange(20, 32)] = True
    np.testing.assert_array_equal(without_sprinkles(mask, NO_CLICKS), mask)


def test_a_region_under_a_positive_click_is_never_dropped():
    mask = np.zeros((100, 100), bool)
    mask[60, 60:63] = mask[20, 20:23] = True
    kept = without_sprinkles(mask, np.array([[61.4, 59.6], [0, 0]], np.float32))
    assert kept[60, 60:63].all() and not kept[20].any() and not kept[0, 0]


def test_only_positive_clicks_of_the_same_object_and_view_protect():
    logits = np.full((2, 2, 100, 100), -5, np.float32)
    logits[:, :, 50:52, 50:52] = 5
    sizes = np.array([[100, 100]] * 2, np.int32)
    prompts = Prompts.of([[[50, 50], [50, 50]], [[0, 0], [50, 50]]], [[1, 0], [1, -1]], [[0, 1], [0, 0]])
    assert (postprocess(logits, sizes, prompts, MaskEncoding.RAW).areas > 0).tolist() == [[True, False], [False, False]]


def test_shapes_that_contradict_each_other_are_refused(one_click):
    logits = np.zeros((1, 3, 8, 8), np.float32)
    with pytest.raises(RequestError, match="mask_logits has shape"):
        postprocess(logits, SIZES[:2], one_click, MaskEncoding.RLE)
    with pytest.raises(RequestError, match="POINTS holds 2 objects, mask_logits 1"):
        postprocess(logits, SIZES, no_prompts(2), MaskEncoding.RLE)
    with pytest.raises(RequestError, match="IMAGE_SIZES"):
        postprocess(logits, SIZES * 0, one_click, MaskEncoding.RLE)
    with pytest.raises(RequestError, match="lies outside view 2"):
        postprocess(logits, SIZES, Prompts.of([[[45, 45]]], [[1]], [[2]]), MaskEncoding.RLE)
