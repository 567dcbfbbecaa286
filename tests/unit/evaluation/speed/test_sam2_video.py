"""The baseline is SAM2's own network, and carries a click through a video."""

from collections.abc import Iterator

import pytest
import torch

from mvsam.evaluation.sam2_predictor import video_predictor
from mvsam.evaluation.speed.cases import Task
from mvsam.evaluation.speed.sam2_video import (
    HEIGHT,
    WIDTH,
    Sam2Video,
    baseline_subjects,
    its_precisions,
)
from mvsam.networks.presets import PRESETS, Precision
from mvsam.networks.weights import official_sam2_listing, shapes_of

FRAMES = 2


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def video() -> Sam2Video:
    return Sam2Video(PRESETS["demo"], FRAMES, torch.device("cpu"))


def test_its_parameters_are_those_of_the_official_model() -> None:
    assert shapes_of(video_predictor(PRESETS["small"])) == official_sam2_listing(PRESETS["small"])


def test_a_click_reaches_every_frame_with_and_without_cached_features(video: Sam2Video) -> None:
    masks = {}
    for cached in (True, False):
        video.begin(cached=cached)
        masks[cached] = video.propagate()
        assert masks[cached].shape == (FRAMES, HEIGHT, WIDTH)
        assert masks[cached].isfinite().all()
        assert ((masks[cached] > 0).flatten(1).any(1)).all(), "an empty mask is carried nowhere"
    assert torch.equal(masks[True][0], masks[False][0]), "the first frame's cached features are its own"
    assert not torch.equal(masks[True][1], masks[False][1])


def test_propagation_begins_anew(video: Sam2Video) -> None:
    masks = []
    for _ in range(2):
        video.begin(cached=True)
        masks.append(video.propagate())
    assert torch.equal(*masks)


def test_the_image_decoder_answers_in_every_view(video: Sam2Video) -> None:
    side = 4 * PRESETS["demo"].grid_side
    masks = video.decode(FRAMES + 1)
    assert masks.shape == (FRAMES + 1, side, side)
    assert torch.equal(masks[0], masks[FRAMES]), "more views than frames begin again"


def test_at_reduced_precision_it_runs_as_its_authors_run_it(video: Sam2Video) -> None:
    assert its_precisions([Precision.FP32, Precision.FP16, Precision.MIXED]) == [Precision.FP32, Precision.BF16]
    (subject, *_) = baseline_subjects(video, [Precision.BF16], [], [None], encoded=False)
    subject.before()
    subject.call()


def test_subjects(video: Sam2Video) -> None:
    subjects = list(baseline_subjects(video, [Precision.FP32], [1, 3], [1, 2], encoded=True))
    tasks = [subject.case.task for subject in subjects]
    assert tasks.count(Task.PROPAGATION) == 2 and tasks.count(Task.ENCODED_PROPAGATION) == 1
    assert [s.case.views for s in subjects if s.case.task is Task.IMAGE_DECODER] == [1, 3, 1, 3]
    assert "2 threads" in next(s.way.setting for s in subjects if s.case.task is Task.ENCODED_PROPAGATION)
