from dataclasses import fields, replace

import numpy as np
import pytest

from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.normalization import normalize
from mvsam.pipeline.request import Geometry, Prompts

SIZES = np.array([[40, 60], [60, 40], [80, 120], [30, 45]], np.int32)
RECTS = np.array([[0, 0, 42, 28], [12, 0, 18, 28], [0, 0, 42, 28], [0, 0, 42, 28]], np.float32)
SIDE = 8


@pytest.fixture
def prompts(encode) -> Prompts:
    mask = np.zeros((60, 40), np.uint8)
    mask[10:30, 5:25] = 255
    return Prompts.of(
        [[[3, 2], [9, 9]], [[20, 20], [0, 0]]],
        [[1, 0], [1, -1]],
        [[0, 2], [1, 0]],
        [[10, 10, 30, 25], [40, 20, 90, 70]],
        [0, 1],
        [3, 2],
        [encode(mask)],
        [1],
        [1],
    )


def run(geometry, prompts, sizes=SIZES, rects=RECTS, **options):
    return normalize(geometry, sizes, rects, prompts, grid_side=SIDE, **options)


def assert_equal(ours, theirs, but=()):
    for field in fields(ours):
        if field.name not in but:
            np.testing.assert_array_equal(getattr(ours, field.name), getattr(theirs, field.name), field.name)


def test_shapes_and_types_are_the_contracts(scene, prompts):
    result = run(scene(4, 28, 42), prompts)
    length = result.prompt_labels.shape[1]
    expected = {
        "grid_points": ((4, SIDE, SIDE, 3), np.float32),
        "grid_low_confidence": ((4, SIDE, SIDE), np.bool_),
        "prompt_points": ((2, length, 3), np.float32),
        "prompt_low_confidence": ((2, length), np.bool_),
        "prompt_labels": ((2, length), np.int32),
        "mask_prompts": ((2, 1, 4 * SIDE, 4 * SIDE), np.float32),
        "mask_index": ((2, 4), np.int32),
        "statistics": ((7,), np.float32),
    }
    assert {name: (getattr(result, name).shape, getattr(result, name).dtype) for name in expected} == expected
    assert result.mask_index.tolist() == [[0, 0, 0, 0], [0, 1, 0, 0]]


def test_permuting_the_views_permutes_the_outputs_and_changes_no_bit(scene, prompts, rng):
    geometry = scene(4, 28, 42)
    before = run(geometry, prompts)
    for _ in range(4):
        order = rng.permutation(4)
        place = np.argsort(order).astype(np.int32)
        shuffled = Geometry(geometry.points[order], geometry.confidence[order], geometry.valid[order])
        moved = replace(
            prompts,
            point_views=place[prompts.point_views],
            box_views=place[prompts.box_views],
            mask_views=place[prompts.mask_views],
        )
        after = run(shuffled, moved, SIZES[order], RECTS[order])
        expected = replace(
            before,
            grid_points=before.grid_points[order],
            grid_low_confidence=before.grid_low_confidence[order],
            mask_index=before.mask_index[:, order],
        )
        assert_equal(after, expected)


def test_points_are_z_scored_by_the_scenes_own_statistics(scene, one_click):
    geometry = scene(1, 28, 42)
    geometry.points[..., 2] += 50
    result = run(geometry, one_click, SIZES[:1], RECTS[:1])
    points = (geometry.points[0] - result.statistics[:3]) / result.statistics[3:6]
    np.testing.assert_allclose(points.mean(axis=(0, 1)), 0, atol=1e-4)
    np.testing.assert_allclose(points.std(axis=(0, 1)), 1, atol=1e-4)
    np.testing.assert_array_equal(result.prompt_points[0, 0], points[1, 2])
    low = geometry.confidence[0, 1, 2] <= result.statistics[6]
    assert result.prompt_low_confidence[0, 0] == low
    assert (geometry.confidence <= result.statistics[6]).mean() == pytest.approx(0.15, abs=1e-3)


def test_what_padding_and_invalid_pixels_hold_does_not_matter(scene, prompts):
    geometry = scene(4, 28, 42)
    geometry.valid[0, 10:20, 30:40] = False
    expected = run(geometry, prompts)
    geometry.points[0, 10:20, 30:40] = np.nan
    geometry.confidence[0, 10:20, 30:40] = -1e30
    geometry.points[1, :, :12], geometry.points[1, :, 30:] = 1e30, np.nan
    geometry.confidence[1, :, :12] = np.inf
    assert_equal(run(geometry, prompts), expected)


def test_appended_padding_adds_only_padding(scene, one_click):
    geometry = scene(4, 28, 42)
    padded = Prompts.of([[[3, 2], [np.nan, -5]]], [[1, -1]], [[0, 99]])
    expected, result = run(geometry, one_click), run(geometry, padded)
    assert_equal(result, expected, but=("prompt_points", "prompt_low_confidence", "prompt_labels"))
    np.testing.assert_array_equal(result.prompt_points[:, :1], expected.prompt_points)
    assert result.prompt_labels.tolist() == [[1, -1]]
    assert not result.prompt_points[0, 1].any() and not result.prompt_low_confidence[0, 1]


def test_statistics_do_not_depend_on_prompts_and_can_be_passed_back(scene, prompts, one_click):
    geometry = scene(4, 28, 42)
    first = run(geometry, prompts)
    np.testing.assert_array_equal(run(geometry, one_click).statistics, first.statistics)
    assert_equal(run(geometry, prompts, statistics=first.statistics), first)


def test_exact_geometry_has_no_low_point(scene, prompts):
    geometry = scene(4, 28, 42)
    result = run(replace(geometry, confidence=np.ones_like(geometry.confidence)), prompts)
    assert not result.grid_low_confidence.any() and not result.prompt_low_confidence.any()


def test_a_click_on_invalid_geometry_is_refused_with_its_pixel(scene, one_click):
    geometry = scene(4, 28, 42)
    geometry.valid[0, 1, 2] = False
    with pytest.raises(
        RequestError, match=r"POINTS: object 0, click 0 at \(3.0, 2.0\) .*pixel \(2, 1\) of the pointmap"
    ):
        run(geometry, one_click)


@pytest.mark.parametrize("cue", ["BOXES: box 0 holds", "PROMPT_MASKS: mask 0 covers"])
def test_a_box_or_mask_without_geometry_is_refused(scene, encode, cue):
    geometry = scene(4, 28, 42)
    geometry.valid[0, 7:21, 14:28] = False
    mask = np.zeros((40, 60), np.uint8)
    mask[12:28, 22:38] = 255
    nowhere = np.zeros((1, 0))
    prompts = (
        Prompts.of(np.zeros((1, 0, 2)), nowhere, nowhere, [[22, 12, 37, 27]], [0], [0])
        if "BOXES" in cue
        else Prompts.of(np.zeros((1, 0, 2)), nowhere, nowhere, masks=[encode(mask)], mask_objects=[0], mask_views=[0])
    )
    with pytest.raises(RequestError, match=f"{cue} no valid geometry in view 0"):
        run(geometry, prompts)


def test_tensors_that_contradict_each_other_are_refused(scene, one_click):
    geometry = scene(4, 28, 42)
    outside = RECTS + np.array([0, 0, 1, 0], np.float32)
    for sizes, rects, name in (
        (SIZES[:3], RECTS, "IMAGE_SIZES has shape"),
        (SIZES * 0, RECTS, "IMAGE_SIZES: view 0 is 0x0; give"),
        (SIZES * 1000, RECTS, "IMAGE_SIZES: view 0 is 60000x40000, more than .*; send a smaller"),
        (SIZES, RECTS[:3], "GEOMETRY_RECTS has shape"),
        (SIZES, outside, "GEOMETRY_RECTS leaves"),
        (SIZES, RECTS * np.float32(np.nan), "GEOMETRY_RECTS leaves"),
    ):
        with pytest.raises(RequestError, match=name):
            run(geometry, one_click, sizes, rects)
    with pytest.raises(RequestError, match="SCENE_STATISTICS"):
        run(geometry, one_click, statistics=np.zeros(7, np.float32))
    with pytest.raises(RequestError, match="POINT_VIEWS"):
        run(geometry, Prompts.of([[[1, 1]]], [[1]], [[9]]))
