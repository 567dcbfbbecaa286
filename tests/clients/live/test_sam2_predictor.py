"""A tool that was written for SAM2's video predictor runs on the real server."""

import inspect

import numpy as np
import pytest

from mvsam_client import InvalidRequestError
from mvsam_client.sam2 import SAM2VideoPredictor, build
from tests.clients.live.conftest import HEIGHT, VIEWS, WIDTH

METHODS = [
    "init_state",
    "add_new_points_or_box",
    "add_new_points",
    "add_new_mask",
    "propagate_in_video",
    "clear_all_prompts_in_frame",
    "reset_state",
    "remove_object",
]


@pytest.mark.parametrize("method", METHODS)
def test_every_argument_of_sam2s_is_taken_in_its_place(method):
    predictor = pytest.importorskip("sam2.sam2_video_predictor").SAM2VideoPredictor
    theirs = list(inspect.signature(getattr(predictor, method)).parameters.values())
    ours = list(inspect.signature(getattr(SAM2VideoPredictor, method)).parameters.values())
    for mine, their in zip(ours, theirs, strict=False):
        assert (mine.name, mine.kind, mine.default) == (their.name, their.kind, their.default)
    for further in ours[len(theirs) :]:
        assert further.kind is inspect.Parameter.KEYWORD_ONLY and further.default is not inspect.Parameter.empty


@pytest.fixture(scope="module")
def predictor(service):
    with build(service.grpc_url) as predictor:
        yield predictor


@pytest.fixture
def state(predictor, photographs, tmp_path):
    for view, photograph in enumerate(photographs):
        (tmp_path / f"{view}.png").write_bytes(photograph)
    return predictor.init_state(video_path=str(tmp_path))


def test_the_loop_of_sam2s_own_example_runs(predictor, state):
    """As in its notebook for videos."""
    points = np.array([[80, 60], [5, 5]], dtype=np.float32)
    labels = np.array([1, 0], np.int32)
    _, out_obj_ids, out_mask_logits = predictor.add_new_points_or_box(
        inference_state=state, frame_idx=2, obj_id=1, points=points, labels=labels
    )
    shown = (out_mask_logits[0] > 0.0).cpu().numpy()
    assert out_obj_ids == [1] and shown.shape == (1, HEIGHT, WIDTH) and type(shown) is np.ndarray
    video_segments = {}
    for out_frame_idx, out_obj_ids, out_mask_logits in predictor.propagate_in_video(state, start_frame_idx=0):
        video_segments[out_frame_idx] = {
            out_obj_id: (out_mask_logits[i] > 0.0).cpu().numpy() for i, out_obj_id in enumerate(out_obj_ids)
        }
    assert list(video_segments) == list(range(VIEWS)) == list(range(state["num_frames"]))
    expected = state.scene.segment(points=points, labels=labels, view=2)
    for frame, found in video_segments.items():
        assert (found[1][0] != expected.masks[0][frame]).mean() < 1e-3
    assert expected.array().any()
    np.testing.assert_array_equal(shown, video_segments[2][1])


def test_logits_are_positive_inside_and_negative_outside(predictor, state):
    _, _, logits = predictor.add_new_points_or_box(state, 0, 4, box=[40, 30, 120, 100])
    assert logits.shape == (1, 1, HEIGHT, WIDTH) and logits.dtype == np.float32
    assert set(np.unique(logits.detach().cpu().numpy())) <= {-10.0, 10.0}


def frames(predictor, state, **options) -> list[int]:
    return [frame for frame, _, _ in predictor.propagate_in_video(state, **options)]


def test_frames_come_in_sam2s_order(predictor, state):
    predictor.add_new_points_or_box(state, 2, 1, [[80, 60]], [1])
    assert frames(predictor, state) == [2, 3, 4, 5], "from the first prompted frame on"
    assert frames(predictor, state, reverse=True) == [2, 1, 0]
    assert frames(predictor, state, start_frame_idx=1, max_frame_num_to_track=2) == [1, 2, 3]
    assert frames(predictor, state, start_frame_idx=4, max_frame_num_to_track=1, reverse=True) == [4, 3]
    assert frames(predictor, state, start_frame_idx=0, reverse=True) == []


def clicks(state) -> list[tuple]:
    return [(click.object, click.view, click.x, click.y, click.positive) for click in state.annotator.clicks]


def test_points_replace_or_join_those_of_their_frame(predictor, state):
    predictor.add_new_points_or_box(state, 0, 1, [[80, 60]], [1])
    predictor.add_new_points_or_box(state, 1, 1, [[70, 60]], [1])
    predictor.add_new_points(state, 0, 1, [[5, 5]], [0], clear_old_points=False)
    assert clicks(state) == [(1, 0, 80, 60, True), (1, 1, 70, 60, True), (1, 0, 5, 5, False)]
    predictor.add_new_points_or_box(state, 0, 1, [[0.5, 0.25]], [1], normalize_coords=False)
    assert clicks(state) == [(1, 1, 70, 60, True), (1, 0, WIDTH / 2, HEIGHT / 4, True)]
    predictor.add_new_points_or_box(state, 1, 1, box=[[0.25, 0.25], [0.5, 0.5]], normalize_coords=False)
    (box,) = state.annotator.boxes
    assert (box.x0, box.y0, box.x1, box.y1) == (WIDTH / 4, HEIGHT / 4, WIDTH / 2, HEIGHT / 2)
    assert clicks(state) == [(1, 0, WIDTH / 2, HEIGHT / 4, True)]


def test_a_mask_of_any_size_stands_for_all_in_its_frame(predictor, state):
    predictor.add_new_points_or_box(state, 1, 1, [[70, 60]], [1])
    small = np.zeros((HEIGHT // 4, WIDTH // 4), bool)
    small[5:15, 10:25] = True
    _, ids, logits = predictor.add_new_mask(state, 1, 1, small)
    (prompt,) = state.annotator.masks
    np.testing.assert_array_equal(prompt.mask, small.repeat(4, 0).repeat(4, 1))
    assert ids == [1] and logits.shape == (1, 1, HEIGHT, WIDTH) and not state.annotator.clicks
    predictor.add_new_points_or_box(state, 1, 1, [[70, 60]], [1], clear_old_points=False)
    assert not state.annotator.masks, "clicks and a mask do not go together in a frame"


def test_objects_come_and_go(predictor, state):
    predictor.add_new_points_or_box(state, 0, 30, [[80, 60]], [1])
    _, ids, logits = predictor.add_new_points_or_box(state, 1, 20, [[20, 100]], [1])
    assert ids == [30, 20] and logits.shape[0] == 2
    frame, ids, logits = predictor.clear_all_prompts_in_frame(state, 0, 30)
    assert (frame, ids) == (0, [30, 20]) and (logits[0] < 0).all(), "it stays, without prompts or masks"
    assert predictor.clear_all_prompts_in_frame(state, 0, 30, need_output=False) is None
    ids, updated = predictor.remove_object(state, 20)
    assert ids == [30] and [frame for frame, _ in updated] == [1] and updated[0][1].shape[0] == 1
    assert predictor.remove_object(state, 99) == ([30], [])
    with pytest.raises(InvalidRequestError, match="no object 99"):
        predictor.remove_object(state, 99, strict=True)
    with pytest.raises(InvalidRequestError, match="no prompts yet"):
        list(predictor.propagate_in_video(state))
    predictor.add_new_points_or_box(state, 0, 30, [[80, 60]], [1])
    predictor.reset_state(state)
    assert state["obj_ids"] == [] and not state.annotator.objects


WRONG = {
    "labels": ({"points": [[1, 1]]}, "one is missing; give both"),
    "nothing": ({}, "give at least one of them"),
    "box later": ({"box": [1, 1, 5, 5], "clear_old_points": False}, "leave clear_old_points=True"),
    "outside": ({"points": [[1.5, 0.5]], "labels": [1], "normalize_coords": False}, "lies outside view 0"),
    "label": ({"points": [[1, 1]], "labels": [3]}, "give 1 on the object"),
    "negative": ({"points": [[1, 1]], "labels": [0], "obj_id": 2}, "object 2 would have negative clicks only"),
    "frame": ({"points": [[1, 1]], "labels": [1], "frame_idx": 6}, "no frame 6; frames count from 0 to 5"),
}


@pytest.mark.parametrize(("prompt", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_prompt_leaves_the_others_alone(predictor, state, prompt, message):
    predictor.add_new_points_or_box(state, 0, 1, [[80, 60]], [1])
    before = state.annotator.objects
    with pytest.raises(InvalidRequestError, match=message):
        predictor.add_new_points_or_box(**{"inference_state": state, "frame_idx": 0, "obj_id": 1} | prompt)
    assert state.annotator.objects == before and state["obj_ids"] == [1]
