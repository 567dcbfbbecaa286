"""What the user points at arrives in the tensors of the contract."""

import io

import numpy as np
import pytest
from PIL import Image

from mvsam_client import Box, Click, Geometry, InvalidRequestError, MaskPrompt
from mvsam_client.prompts import prompt_tensors


def test_objects_with_fewer_clicks_are_padded_with_the_label_that_the_decoder_ignores():
    tensors = prompt_tensors([Click(0, 1.5, 2), Click(2, 3, 4, positive=False), Click(1, 5, 6, object=1)])
    np.testing.assert_array_equal(tensors["POINTS"], np.array([[[1.5, 2], [3, 4]], [[5, 6], [0, 0]]], np.float32))
    np.testing.assert_array_equal(tensors["POINT_LABELS"], [[1, 0], [1, -1]])
    np.testing.assert_array_equal(tensors["POINT_VIEWS"], [[0, 2], [1, 0]])
    assert tensors.keys() == {"POINTS", "POINT_LABELS", "POINT_VIEWS"}
    assert [array.dtype for array in tensors.values()] == [np.float32, np.int32, np.int32]


def test_boxes_alone_still_bring_one_padded_point():
    tensors = prompt_tensors([], [Box(1, 2, 3, 40, 50)])
    np.testing.assert_array_equal(tensors["POINT_LABELS"], [[-1]])
    np.testing.assert_array_equal(tensors["BOXES"], np.array([[2, 3, 40, 50]], np.float32))
    assert (tensors["BOX_OBJECTS"].tolist(), tensors["BOX_VIEWS"].tolist()) == ([0], [1])


def test_a_mask_travels_as_a_png_of_its_own_size(tmp_path):
    mask = np.zeros((5, 9), bool)
    mask[2, 3:] = True
    tensors = prompt_tensors([], masks=[MaskPrompt(1, mask)])
    (encoded,) = tensors["PROMPT_MASKS"]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encoded))) > 0, mask)
    path = tmp_path / "mask.png"
    path.write_bytes(encoded)
    for given in (encoded, path, str(path)):
        assert prompt_tensors([], masks=[MaskPrompt(1, given)])["PROMPT_MASKS"].tolist() == [encoded]


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        (((), (), ()), "give at least one"),
        (([Click(0, 1, 1, object=1)], (), ()), "leave a gap"),
        (([Click(0, 1, 1, object=-1)], (), ()), "leave a gap"),
        (([Click(0, 1, 1)], [Box(0, 1, 1, 2, 2, object=10**9)], ()), "leave a gap"),
        (((), (), [MaskPrompt(0, np.zeros((4, 4), np.float32))]), r"mask 0: the array is float32 \[4, 4\]"),
        (((), (), [MaskPrompt(0, "nowhere.png")]), "mask 0: nowhere.png cannot be read"),
    ],
)
def test_prompts_that_fit_no_tensor_are_refused_with_a_remedy(prompts, message):
    with pytest.raises(InvalidRequestError, match=message):
        prompt_tensors(*prompts)


def test_geometry_without_confidence_is_equally_sure_everywhere():
    tensors = Geometry(np.zeros((2, 3, 4, 3)), valid=np.ones((2, 3, 4), np.uint8)).tensors()
    assert tensors["points"].dtype == np.float32
    assert tensors["confidence"].shape == (2, 3, 4) and np.unique(tensors["confidence"]).size == 1
    assert tensors["VALID"].dtype == bool
