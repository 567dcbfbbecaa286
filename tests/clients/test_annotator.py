"""What a person points at, takes back and repeats; the scene is a stand-in that tells what it was asked."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mvsam_client import Annotator, Box, Click, InvalidRequestError, UnknownAnswerError, ViewMasks
from mvsam_client.sam2_state import InferenceState

SIZES = np.array([(60, 80), (48, 64), (50, 50)])


class StandIn:
    """A scene that finds, for row r in view v, the first r + 1 pixels of line v."""

    def __init__(self) -> None:
        self.sizes: np.ndarray | None = SIZES
        self.asked: list[dict[str, Any]] = []
        self.forgotten: set[str] = set()

    def stream(self, *, points, boxes, masks, timeout, previous="") -> Iterator[ViewMasks]:
        self.asked.append({"points": points, "boxes": boxes, "masks": masks, "previous": previous})
        if previous in self.forgotten:
            raise UnknownAnswerError("PREVIOUS names no answer")
        rows = {prompt.object for prompt in (*points, *boxes, *masks)}
        assert rows == set(range(len(rows))), "objects count from 0 on the wire"
        answer = f"answer {len(self.asked)}"
        for place, view in enumerate((1, 0, 2)):
            height, width = SIZES[view]
            found = np.zeros((len(rows), height, width), bool)
            for row in rows:
                found[row, view, : row + 1] = True
            areas = found.sum(axis=(1, 2))
            last = answer if place == 2 else ""
            sizes = [{"size": [int(height), int(width)]}] * len(rows)
            yield ViewMasks(view, list(found), sizes, np.full(len(rows), 0.5, np.float32), areas, last)


@pytest.fixture
def scene() -> Any:
    return StandIn()


@pytest.fixture
def annotator(scene) -> Annotator:
    return Annotator(scene)


def test_prompts_are_held_by_object(annotator):
    annotator.add_click(0, 5, 6, object_id=7)
    annotator.add_click(1, 2, 3, positive=False, object_id=7)
    annotator.add_box(1, 1, 2, 30, 40, object_id=3)
    assert annotator.object_ids == (7, 3)
    assert annotator.objects[7].clicks == annotator.clicks
    assert annotator.clicks == (Click(0, 5, 6, True, 7), Click(1, 2, 3, False, 7))
    assert annotator.boxes == (Box(1, 1, 2, 30, 40, 3),) and annotator.views == {0, 1}


def test_masks_come_back_by_object_and_view(annotator, scene):
    annotator.add_click(0, 5, 6, object_id=7)
    annotator.add_click(0, 9, 6, object_id=2)
    found = annotator.segment()
    assert list(found) == [7, 2]
    assert [int(mask.sum()) for mask in found[7]] == [1, 1, 1] and [int(mask.sum()) for mask in found[2]] == [2, 2, 2]
    assert [mask.shape for mask in found[7]] == [tuple(size) for size in SIZES.tolist()]
    assert annotator.segmentation.object_ids == (7, 2) and annotator.segmentation.areas.tolist() == [[1] * 3, [2] * 3]


def test_views_stream_as_they_come(annotator):
    annotator.add_click(1, 5, 6)
    parts = annotator.stream()
    first = next(parts)
    assert first.view == 1 and list(first.masks) == [1] and first.scores == {1: 0.5}
    assert annotator.segmentation is None, "the answer is not whole yet"
    assert [part.view for part in parts] == [0, 2] and annotator.segmentation is not None


def test_no_prompts_no_masks(annotator, scene):
    assert annotator.segment() == {} and list(annotator.stream()) == [] and not scene.asked


def test_every_change_is_undone_and_redone(annotator):
    mask = np.ones((60, 80), bool)
    steps = [
        lambda: annotator.add_click(0, 5, 6),
        lambda: annotator.add_click(0, 7, 8, positive=False),
        lambda: annotator.add_box(1, 1, 2, 30, 40, object_id=2),
        lambda: annotator.add_mask(0, mask, object_id=2),
        lambda: annotator.remove_click(0),
        lambda: annotator.remove_click(),
        lambda: annotator.remove_box(1, object_id=2),
        lambda: annotator.add_click(0, 1, 1, object_id=5),
        lambda: annotator.remove_object(5),
        lambda: annotator.remove_mask(0, object_id=2),
        lambda: annotator.add_click(0, 9, 9),
        annotator.clear,
    ]
    states = [annotator.objects]
    for step in steps:
        step()
        states.append(annotator.objects)
    for expected in reversed(states[:-1]):
        assert annotator.undo() and annotator.objects == expected
    assert not annotator.undo() and not annotator.can_undo and annotator.can_redo
    for expected in states[1:]:
        assert annotator.redo() and annotator.objects == expected
    assert not annotator.redo() and not annotator.objects


def test_a_new_change_forgets_what_was_undone(annotator):
    annotator.add_click(0, 1, 1)
    annotator.undo()
    annotator.add_click(0, 2, 2)
    assert not annotator.can_redo and not annotator.redo() and annotator.clicks == (Click(0, 2, 2, True, 1),)
    annotator.undo()
    annotator.clear()
    assert annotator.can_redo, "to clear nothing is no change"


def test_an_object_has_one_box_and_one_mask_a_view(annotator):
    annotator.add_box(1, 1, 2, 30, 40)
    annotator.add_box(1, 3, 4, 30, 40)
    annotator.add_box(0, 5, 6, 30, 40)
    assert [box.x0 for box in annotator.boxes] == [3, 5]
    annotator.add_mask(1, np.ones((48, 64), bool))
    annotator.add_mask(1, np.eye(48, 64) - 0.5)
    assert [int(prompt.mask.sum()) for prompt in annotator.masks] == [48]


WRONG = {
    "outside": (lambda a: a.add_click(0, 80, 5), r"lies outside view 0 \(80x60\)"),
    "view": (lambda a: a.add_click(3, 1, 1), "views count from 0 to 2"),
    "box": (lambda a: a.add_box(0, 9, 1, 5, 5), "x0 < x1"),
    "mask": (lambda a: a.add_mask(0, np.ones((48, 64), bool)), "view 0 is 80x60"),
    "no object": (lambda a: a.remove_object(4), r"no object 4; those with prompts are \[1\]"),
    "no click": (lambda a: a.remove_click(1), "has 1 clicks and none at 1"),
    "no box": (lambda a: a.remove_box(0), "object 1 has no box in view 0"),
    "no mask": (lambda a: a.remove_mask(0), "object 1 has no mask in view 0"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_change_is_refused_and_leaves_nothing(annotator, change, message):
    annotator.add_click(0, 1, 1)
    before = annotator.objects
    with pytest.raises(InvalidRequestError, match=message):
        change(annotator)
    assert annotator.objects == before and annotator.undo() and not annotator.can_undo


def test_an_object_of_negative_clicks_alone_is_told_before_the_server_is_asked(annotator, scene):
    annotator.add_click(0, 1, 1, object_id=4, positive=False)
    with pytest.raises(InvalidRequestError, match="object 4 has negative clicks only; add a positive one"):
        annotator.segment()
    with pytest.raises(InvalidRequestError, match="object 4"):
        annotator.stream()
    assert not scene.asked


def asked(scene) -> list[tuple[list[float], str]]:
    """Of every request, in order: the columns of its clicks, and the answer that it refines."""
    return [([click.x for click in each["points"]], each["previous"]) for each in scene.asked]


def test_nothing_is_refined_unless_it_is_asked_for(annotator, scene):
    for x in range(3):
        annotator.add_click(0, x, 1)
        annotator.segment()
    assert asked(scene) == [([0], ""), ([0, 1], ""), ([0, 1, 2], "")]


def test_sam2s_predictor_feeds_nothing_back(scene):
    state = InferenceState(scene)
    for x in range(3):
        state.annotator.add_click(0, x, 1)
        state.annotator.segment()
    assert [previous for _, previous in asked(scene)] == ["", "", ""]


@pytest.fixture
def refining(scene) -> Annotator:
    return Annotator(scene, refine=True)


def test_an_answer_is_refined_while_prompts_are_only_added(refining, scene):
    refining.add_click(0, 1, 1)
    refining.segment()
    refining.add_click(0, 2, 2, positive=False)
    refining.add_box(1, 1, 2, 30, 40)
    refining.segment()
    refining.segment()  # the same once more
    refining.add_click(0, 3, 3)
    refining.segment()
    assert [previous for _, previous in asked(scene)] == ["", "answer 1", "answer 1", "answer 3"]


def test_an_object_is_asked_for_in_the_same_way_whatever_becomes_of_others(refining, scene):
    refining.add_click(0, 1, 1)
    refining.segment()
    refining.add_click(0, 2, 2)
    refining.segment()
    refined = ([1, 2], "answer 1")
    assert asked(scene)[-1] == refined
    for change, others in (
        (lambda: refining.add_click(0, 7, 7, object_id=2), [([7], "")]),
        (lambda: refining.add_click(0, 8, 8, object_id=2), [([7, 8], "answer 4")]),
        (lambda: refining.add_click(0, 9, 9, object_id=3), [([7, 8], "answer 4"), ([9], "")]),
        (lambda: refining.remove_object(2), [([9], "")]),
        (refining.undo, [([7, 8], "answer 4"), ([9], "")]),
        (lambda: refining.remove_object(3), [([7, 8], "answer 4")]),
    ):
        before = len(scene.asked)
        change()
        found = refining.segment()
        assert asked(scene)[before:] == [refined, *others]
        assert len(found) == 1 + len(others) and refining.segmentation.object_ids == tuple(found)
    refining.add_click(0, 3, 3)
    refining.segment()
    assert asked(scene)[-2:] == [([1, 2, 3], "answer 15"), ([7, 8], "answer 4")]


def test_objects_that_are_asked_for_one_by_one_come_together_view_by_view(refining, scene):
    refining.add_click(1, 5, 6, object_id=7)
    refining.add_click(1, 5, 6, object_id=2)
    parts = list(refining.stream())
    assert [part.view for part in parts] == [1, 0, 2] and len(scene.asked) == 2
    assert all(list(part.masks) == list(part.scores) == [7, 2] for part in parts)
    assert refining.segmentation.areas.tolist() == [[1] * 3, [1] * 3]
    assert refining.segmentation.answer == "", "there is no one answer of both"


def test_what_was_taken_away_is_answered_afresh(refining, scene):
    refining.add_click(0, 1, 1)
    refining.add_click(0, 2, 2)
    refining.segment()
    refining.undo()
    refining.segment()
    refining.add_box(0, 1, 1, 9, 9)
    refining.segment()
    refining.add_box(0, 2, 2, 9, 9)  # another in its place
    refining.segment()
    assert [previous for _, previous in asked(scene)] == ["", "", "answer 2", ""]


def test_an_answer_that_the_server_has_dropped_is_done_without(refining, scene):
    refining.add_click(0, 1, 1)
    refining.segment()
    refining.add_click(0, 2, 2)
    scene.forgotten = {"answer 1"}
    assert len(refining.segment()[1]) == 3
    assert [previous for _, previous in asked(scene)] == ["", "answer 1", ""]


def test_an_answer_that_was_broken_off_is_not_refined(refining, scene):
    refining.add_click(0, 1, 1)
    refining.segment()
    refining.add_click(0, 2, 2)
    next(refining.stream())
    refining.add_click(0, 3, 3)
    refining.segment()
    assert [previous for _, previous in asked(scene)] == ["", "answer 1", "answer 1"]


def test_a_stream_answers_the_prompts_at_the_call(annotator, scene):
    annotator.add_click(0, 1, 1)
    parts = annotator.stream()
    annotator.clear()
    assert len(list(parts)) == 3 and len(scene.asked[0]["points"]) == 1
    annotator.undo()
    annotator.segment()
    assert scene.asked[1]["points"] == scene.asked[0]["points"], "the same prompts again"


def test_of_a_scene_by_id_alone_the_server_checks_the_coordinates(scene):
    scene.sizes = None
    annotator = Annotator(scene)
    annotator.add_click(99, 1e6, 5)
    assert annotator.clicks == (Click(99, 1e6, 5, True, 1),)
