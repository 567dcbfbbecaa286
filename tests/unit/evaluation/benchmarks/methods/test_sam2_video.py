"""SAM2-Video through the harness: what the package itself says, for every view and from every click."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mvsam.evaluation.benchmarks.methods.method import Method
from mvsam.evaluation.benchmarks.methods.sam2_video import Sam2VideoMethod
from mvsam.evaluation.benchmarks.scenes import Click
from mvsam.evaluation.sam2_predictor import video_predictor, without_progress_bars
from mvsam.networks.checkpoints import CheckpointError
from mvsam.networks.presets import PRESETS

DEMO, CPU = PRESETS["demo"], torch.device("cpu")
SIZES = [(60, 80), (80, 60), (50, 50)]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def predictor() -> Any:
    return video_predictor(DEMO)


@pytest.fixture(scope="module")
def method(predictor: Any) -> Method:
    return Sam2VideoMethod(predictor, CPU)


def photographs(sizes: list[tuple[int, int]]) -> list[bytes]:
    rng, files = np.random.default_rng(0), []
    for height, width in sizes:
        buffer = io.BytesIO()
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(buffer, "PNG")
        files.append(buffer.getvalue())
    return files


def equal(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


def test_every_view_gets_a_mask_of_its_own_size_wherever_the_click_is(method: Method) -> None:
    prepared = method.prepare(photographs(SIZES), None)
    for view in range(len(SIZES)):
        masks = prepared.masks([Click(view, 40.0, 30.0)])
        assert [(mask.shape, mask.dtype) for mask in masks] == [(size, np.dtype(bool)) for size in SIZES]
        assert all(0 < mask.mean() < 1 for mask in masks)


def test_it_says_what_the_package_says(method: Method, predictor: Any, tmp_path: Path) -> None:
    """The package's own way: a folder of frames, clicks in pixels of the video, logits at its size."""
    files = photographs([(60, 80)] * 3)
    clicks = [Click(1, 20.0, 30.0), Click(1, 60.0, 10.0, positive=False), Click(2, 40.0, 40.0)]
    masks = method.prepare(files, None).masks(clicks)
    for view, data in enumerate(files):
        (tmp_path / f"{view:05d}.jpg").write_bytes(data)  # PNG, which it reads without a loss
    half = np.array([0.5 - 0.5 * 80 / DEMO.encoder.side, 0.5 - 0.5 * 60 / DEMO.encoder.side])
    with without_progress_bars():
        state = predictor.init_state(str(tmp_path))
        for view in (1, 2):
            here = [click for click in clicks if click.view == view]
            points = np.array([(click.x, click.y) for click in here]) + half
            labels = np.array([click.positive for click in here], np.int32)
            predictor.add_new_points_or_box(state, view, 7, points.astype(np.float32), labels)
        found = {}
        for reverse in (False, True):
            for view, _, logits in predictor.propagate_in_video(state, reverse=reverse):
                found[view] = logits[0, 0].numpy() > 0
    for view, mask in enumerate(masks):
        assert mask.any() and np.array_equal(mask, found[view])


def test_clicks_in_two_views_are_both_used(method: Method) -> None:
    prepared = method.prepare(photographs(SIZES), None)
    first, last = Click(0, 20.0, 20.0), Click(2, 40.0, 10.0)
    both = prepared.masks([first, last])
    alone = prepared.masks([first]), prepared.masks([last])
    assert np.array_equal(both[0], alone[0][0]) and np.array_equal(both[2], alone[1][2])
    assert not np.array_equal(both[2], alone[0][2]) and not np.array_equal(both[0], alone[1][0])
    assert not any(equal(both, masks) for masks in alone)


def test_clicks_encode_no_frame_again(method: Method, predictor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = method.prepare(photographs(SIZES), None)
    monkeypatch.setattr(predictor, "forward_image", None)
    for view in range(len(SIZES)):
        prepared.masks([Click(view, 40.0, 30.0)])


def test_a_second_object_is_answered_as_if_it_were_the_first(method: Method) -> None:
    files = photographs(SIZES)
    objects = [Click(0, 40.0, 30.0), Click(0, 10.0, 50.0, positive=False)], [Click(2, 10.0, 10.0)]
    prepared = method.prepare(files, None)
    answers = [prepared.masks(clicks) for clicks in objects]
    prepared.close()
    assert equal(answers[1], method.prepare(files, None).masks(objects[1]))
    assert not equal(answers[1], answers[0])


def test_the_order_of_the_photographs_matters(method: Method) -> None:
    files, order = photographs(SIZES), [2, 0, 1]
    masks = method.prepare(files, None).masks([Click(0, 40.0, 30.0)])
    other = method.prepare([files[view] for view in order], None).masks([Click(order.index(0), 40.0, 30.0)])
    back = [other[order.index(view)] for view in range(len(files))]
    assert np.array_equal(masks[0], back[0]), "the view that is clicked on knows no other"
    assert not equal(masks, back)


def test_random_weights_are_named_and_the_official_ones_pinned(method: Method, predictor: Any, tmp_path: Path) -> None:
    preset = replace(DEMO, encoder=replace(DEMO.encoder, official_name="hiera_demo"))
    assert "random" in Sam2VideoMethod.from_preset(preset, tmp_path, CPU).name
    path = tmp_path / "official" / "sam2.1_hiera_demo.pt"
    path.parent.mkdir()
    torch.save({"model": predictor.state_dict()}, path)
    official = Sam2VideoMethod.from_preset(preset, tmp_path, CPU)
    assert official.name == "SAM2-Video"
    files, clicks = photographs(SIZES), [Click(1, 40.0, 30.0)]
    assert equal(official.prepare(files, None).masks(clicks), method.prepare(files, None).masks(clicks))
    torch.save({"model": {}}, path)
    with pytest.raises(CheckpointError, match="pinned"):
        Sam2VideoMethod.from_preset(preset, tmp_path, CPU)
