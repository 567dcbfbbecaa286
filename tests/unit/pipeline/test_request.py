import numpy as np
import pytest

from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.request import Geometry, Prompts


def test_what_is_not_given_is_empty(one_click):
    assert one_click.boxes.shape == (0, 4) and one_click.masks == [] and one_click.mask_views.shape == (0,)
    assert one_click.points.dtype == np.float32 and one_click.point_labels.dtype == np.int32


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"points": [[3, 2]]}, "POINTS has shape"),
        ({"points": [[[3, 2, 1]]]}, "POINTS has shape"),
        ({"points": [[[3, 2]], [[3, 2], [4, 4]]]}, "POINTS is ragged"),
        ({"points": [[["left", "top"]]]}, "POINTS is .*give float32"),
        ({"point_labels": [[1, 1]]}, "POINT_LABELS has shape"),
        ({"point_labels": [[0.5]]}, "POINT_LABELS is float64; give int32"),
        ({"point_views": [0]}, "POINT_VIEWS has shape"),
        ({"boxes": [1, 2, 3, 4], "box_objects": [0], "box_views": [0]}, "BOXES has shape"),
        ({"boxes": [[1, 2, 3, 4]], "box_views": [0]}, "BOX_OBJECTS has shape"),
        ({"boxes": [[1, 2, 3, 4]], "box_objects": [0], "box_views": [0, 0]}, "BOX_VIEWS has shape"),
        ({"masks": [b"x"], "mask_objects": [0]}, "MASK_VIEWS has shape"),
    ],
)
def test_prompts_that_contradict_themselves_are_named(given, named):
    with pytest.raises(RequestError, match=named):
        Prompts.of(**{"points": [[[3, 2]]], "point_labels": [[1]], "point_views": [[0]], **given})


def test_geometry_without_validity_is_valid_everywhere():
    assert Geometry.of(np.zeros((1, 2, 3, 3)), np.zeros((1, 2, 3))).valid.all()


@pytest.mark.parametrize(
    ("points", "confidence", "valid", "named"),
    [
        ((1, 4, 4), (1, 4, 4), (1, 4, 4), "points has shape"),
        ((1, 4, 4, 4), (1, 4, 4), (1, 4, 4), "points has shape"),
        ((0, 4, 4, 3), (0, 4, 4), (0, 4, 4), "points has shape"),
        ((1, 4, 4, 3), (1, 4, 5), (1, 4, 4), "confidence has shape"),
        ((1, 4, 4, 3), (1, 4, 4), (2, 4, 4), "VALID has shape"),
    ],
)
def test_geometry_that_contradicts_itself_is_named(points, confidence, valid, named):
    with pytest.raises(RequestError, match=named):
        Geometry.of(np.zeros(points), np.zeros(confidence), np.ones(valid, bool))
