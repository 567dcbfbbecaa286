"""The predictor in SAM2's shape takes the arrays and tensors that SAM2's takes."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mvsam_client import InvalidRequestError
from mvsam_client.sam2 import build
from tests.clients.scenes_stand_in import Scenes, scenes_served

INSIDE = np.zeros((4, 6), bool)
INSIDE[1:3, 2:5] = True
ARRAYS = {
    "bool": INSIDE,
    "0 and 255": INSIDE * np.uint8(255),
    "0 and 1": INSIDE.astype(np.uint8),
    "labels": INSIDE.astype(np.int64) * 3,
    "probabilities": INSIDE * np.float32(0.9),
    "logits": np.where(INSIDE, 4.0, -4.0),
    "list": INSIDE.astype(int).tolist(),
    "half the size": INSIDE[::2, ::2] * np.uint8(7),
    "batch of one": INSIDE[None],
}


@pytest.fixture
def scenes() -> Iterator[Scenes]:
    with scenes_served() as scenes:
        yield scenes


@pytest.fixture
def sent(scenes: Scenes):
    """The mask prompt that reaches the server for a mask, bool [h, w]."""
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4)).save(buffer, "PNG")

    def of(mask: Any) -> np.ndarray:
        with build(scenes.url) as predictor:
            state = predictor.init_state([buffer.getvalue()] * 2)
            predictor.add_new_mask(state, 1, 7, mask)
        (encoded,) = scenes.asked[-1][1]["PROMPT_MASKS"]
        return np.asarray(Image.open(io.BytesIO(encoded))) > 0

    return of


def expected(mask: np.ndarray) -> np.ndarray:
    """Of `half the size` every pixel four times over."""
    return INSIDE if mask is not ARRAYS["half the size"] else INSIDE[::2, ::2].repeat(2, axis=0).repeat(2, axis=1)


@pytest.mark.parametrize("mask", ARRAYS.values(), ids=ARRAYS)
def test_whatever_is_not_0_of_a_mask_is_inside(sent, mask):
    assert np.array_equal(sent(mask), expected(mask))


@pytest.mark.parametrize("kind", ["bool", "uint8", "int64", "float32", "float16", "bfloat16"])
def test_tensors_are_masks_too(sent, kind):
    torch = pytest.importorskip("torch")
    assert np.array_equal(sent(torch.from_numpy(INSIDE).to(getattr(torch, kind))), INSIDE)


def test_tensors_with_a_gradient_are_masks_and_points(scenes, sent):
    torch = pytest.importorskip("torch")
    logits = torch.from_numpy(np.where(INSIDE, 4.0, -4.0)).requires_grad_()
    assert np.array_equal(sent(logits), INSIDE)
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4)).save(buffer, "PNG")
    with build(scenes.url) as predictor:
        state = predictor.init_state([buffer.getvalue()] * 2)
        predictor.add_new_points_or_box(state, 0, 1, torch.tensor([[2.0, 1.0]]), torch.tensor([1]))
    assert scenes.asked[-1][1]["POINTS"].tolist() == [[[2, 1]]]


@pytest.mark.parametrize("mask", [np.zeros((4, 6), np.uint8), np.ones((2, 4, 6), np.uint8), np.array([["a"]]), "mask"])
def test_what_is_no_mask_is_refused(sent, mask):
    with pytest.raises(InvalidRequestError, match="mask: "):
        sent(mask)
