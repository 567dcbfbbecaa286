"""SAM2's points, labels, box and mask mean the same as clicks, and wrong ones never leave this process."""

import numpy as np
import pytest

from mvsam_client import Box, Click, Client, InvalidRequestError, MaskPrompt
from mvsam_client.vocabulary import Prompts, gather

SIZES = np.array([(60, 80), (48, 64)])
INSIDE = np.eye(48, 64) > 0


def given(**prompts) -> Prompts:
    return gather(lambda: SIZES, **prompts)


def test_points_and_labels_are_clicks():
    prompts = given(points=[[1.5, 2], [3, 4]], labels=[1, 0], view=1, object_id=7)
    assert prompts.clicks == (Click(1, 1.5, 2), Click(1, 3, 4, positive=False))
    assert prompts.object_ids == (7,)


@pytest.mark.parametrize("labels", [None, [1, 1], np.array([[1, 1]]), (True, True)])
@pytest.mark.parametrize("points", [[[1, 2], [3, 4]], np.array([[[1, 2], [3, 4]]], np.float32), ((1, 2), (3, 4))])
def test_every_form_of_points_means_the_same(points, labels):
    assert given(points=points, labels=labels).clicks == (Click(0, 1, 2), Click(0, 3, 4))


def test_a_box_and_a_mask_are_of_the_same_view_and_object():
    prompts = given(box=np.array([[1, 2, 30, 40]]), mask=INSIDE, view=1)
    assert prompts.boxes == (Box(1, 1, 2, 30, 40),)
    (mask,) = prompts.masks
    assert (mask.view, mask.object) == (1, 0)
    assert np.array_equal(np.asarray(mask.mask), INSIDE)


def test_logits_are_a_mask_where_they_are_positive():
    logits = np.where(INSIDE, 3.5, -2).astype(np.float32)
    logits[5, 9] = np.nan
    (mask,) = given(mask=logits[None], view=1).masks
    assert np.array_equal(np.asarray(mask.mask), INSIDE)


def test_lists_and_arrays_go_together_by_the_number_of_the_object():
    prompts = given(points=[Click(0, 1, 2)], boxes=[Box(1, 1, 2, 3, 4, object=1)], box=[5, 6, 7, 8], object_id=2)
    assert [box.object for box in prompts.boxes] == [1, 2] and prompts.object_ids == (0, 1, 2)
    assert prompts.tensors()["POINT_LABELS"].shape == (3, 1)


def test_what_lies_at_the_edge_is_inside():
    given(points=[[-0.5, -0.5], [79.4, 59.4]], box=(-0.5, 0, 80, 60))


WRONG = {
    "no prompt": ({}, "give at least one"),
    "flat points": ({"points": [320, 200]}, r"points: the array is int64 \[2\]; give pixels as \[k, 2\]"),
    "three coordinates": ({"points": [[1, 2, 3]]}, r"give pixels as \[k, 2\]"),
    "ragged points": ({"points": [[1, 2], [3]]}, "points: this is no array"),
    "words": ({"points": [["a", "b"]]}, "give pixels"),
    "mixed points": ({"points": [Click(0, 1, 2), [1, 2]]}, "clicks and pixels are mixed"),
    "too few labels": ({"points": [[1, 2], [3, 4]], "labels": [1]}, "labels: there are 1 for 2 points"),
    "a box's label": ({"points": [[1, 2]], "labels": [2]}, "labels: 2 is none; give 1 .* and 0"),
    "padding": ({"points": [[1, 2]], "labels": [-1]}, "labels: -1 is none"),
    "labels alone": ({"labels": [1], "box": [1, 2, 3, 4]}, "labels: they explain points"),
    "labels of clicks": ({"points": [Click(0, 1, 2)], "labels": [1]}, "a Click says by itself"),
    "outside": ({"points": [[80, 5]]}, r"\(80, 5\) lies outside view 0 \(80x60\); give x in \[0, 79\]"),
    "nowhere": ({"points": [[np.nan, 5]]}, "nowhere; give finite"),
    "no such view": ({"points": [[1, 2]], "view": 2}, "a point names view 2, and there are 2; views count from 0 to 1"),
    "negative view": ({"points": [[1, 2]], "view": -1}, "views count from 0"),
    "empty box": ({"box": [30, 2, 30, 40]}, "is empty; give .* with x0 < x1"),
    "box by width": ({"box": [70, 2, 40, 40]}, "x0 < x1"),
    "box outside": ({"box": [1, 2, 90, 40]}, r"reaches outside view 0 \(80x60\)"),
    "half a box": ({"box": [1, 2, 3]}, r"give one box \(x0, y0, x1, y1\)"),
    "infinite box": ({"box": [1, 2, np.inf, 40]}, "box: .* is nowhere"),
    "mask of another size": ({"mask": INSIDE}, "mask: it is 64x48, view 0 is 80x60"),
    "mask of numbers": ({"mask": np.ones((60, 80), np.uint8)}, r"mask: the array is uint8 \[60, 80\]; give bool"),
    "empty mask": ({"mask": np.zeros((60, 80), bool)}, "no pixel is inside"),
    "flat mask": ({"mask": np.ones(4, bool)}, r"bool \[4\]; give bool \[h, w\]"),
}


@pytest.mark.parametrize(("prompts", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_prompts_are_refused_with_a_remedy_before_anything_is_sent(server, photographs, prompts, message):
    with pytest.raises(InvalidRequestError, match=message):
        given(**prompts).tensors()
    with Client(server.url) as client, pytest.raises(InvalidRequestError, match=message):
        client.segment(photographs[:2], **prompts)
    assert server.calls == 0


def test_where_sizes_are_not_known_the_server_says_what_is_outside():
    assert gather(lambda: None, points=[[9000, 5]], view=77).clicks == (Click(77, 9000, 5),)
    with pytest.raises(InvalidRequestError, match="count from 0"):
        gather(lambda: None, points=[[1, 5]], view=-2)
    with pytest.raises(InvalidRequestError, match="x0 < x1"):
        gather(lambda: None, box=[5, 5, 1, 9])


def test_a_client_sends_them_as_the_wire_has_them_and_keeps_the_objects_id(server, photographs):
    with Client(server.url) as client:
        turned = np.zeros((64, 48), bool)  # the second photograph, upright
        turned[3, 4] = True
        result = client.segment(photographs, points=[[1, 2]], labels=[0], box=[3, 4, 30, 40], view=1, object_id=9)
        assert server.received["POINTS"].tolist() == [[[1, 2]]]
        assert server.received["POINT_LABELS"].tolist() == [[0]] and server.received["POINT_VIEWS"].tolist() == [[1]]
        assert server.received["BOXES"].tolist() == [[3, 4, 30, 40]] and server.received["BOX_VIEWS"].tolist() == [1]
        assert result.object_ids == (9,) and len(result.masks) == 1
        client.segment(photographs, mask=turned, view=1)
        assert server.received["MASK_VIEWS"].tolist() == [1]
        with pytest.raises(InvalidRequestError, match="view 1 is 48x64"):
            client.segment(photographs, mask=turned.T, view=1)


def test_several_objects_keep_their_numbers(server, photographs):
    with Client(server.url) as client:
        result = client.segment(photographs, points=[Click(0, 1, 2), Click(0, 3, 4, object=1)], masks=[])
        assert result.object_ids == (0, 1)
        result = client.segment(photographs, masks=[MaskPrompt(0, np.ones((60, 80), bool))])
        assert result.object_ids == (0,)
        clicks = [Click(0, 1, 2, object=9), Click(0, 3, 4, object=-2), Click(1, 5, 6, object=9)]
        result = client.segment(photographs, points=clicks, boxes=[Box(0, 1, 2, 30, 40, object=9)])
        assert result.object_ids == (-2, 9) and server.received["BOX_OBJECTS"].tolist() == [1]
        assert server.received["POINTS"].tolist() == [[[3, 4], [0, 0]], [[1, 2], [5, 6]]]


def test_arrays_about_an_object_that_lists_do_not_name_begin_another():
    prompts = given(points=[Click(0, 1, 2)], box=[1, 2, 3, 4], object_id=5)
    assert prompts.object_ids == (0, 5) and [box.object for box in prompts.boxes] == [1]
