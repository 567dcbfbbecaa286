"""What prompts and answers cost is known before any of it is spent."""

import io

import numpy as np
import pytest
from PIL import Image

from mvsam.pipeline import images
from mvsam.pipeline.checks import check_answer_bytes, check_prompt_limits
from mvsam.pipeline.encodings import MaskEncoding
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.normalization import NormalizedScene
from mvsam.pipeline.request import Geometry, Prompts

SIDE = 32


def png(mode: str = "L", side: int = SIDE, **options: object) -> bytes:
    pixels = np.zeros((side, side), np.uint8)
    pixels[4:20, 4:20] = 1
    file = io.BytesIO()
    Image.fromarray(pixels * (255 if mode != "P" else 1)).convert(mode).save(file, "PNG", **options)
    return file.getvalue()


def masked(count: int, mode: str = "L") -> Prompts:
    """So many objects, each with a mask."""
    none, numbers = Prompts.none(count), np.arange(count, dtype=np.int32)
    return Prompts.of(
        none.points, none.point_labels, none.point_views,
        masks=[png(mode)] * count, mask_objects=numbers, mask_views=np.zeros(count, np.int32),
    )  # fmt: skip


def test_pixels_of_all_masks_are_counted_in_their_headers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(images, "_decode", None)
    limits = Limits(max_mask_pixels=4 * SIDE**2)
    check_prompt_limits(masked(4), limits)
    with pytest.raises(RequestError, match="5120 pixels in all masks, more than the 4096 allowed; send fewer masks"):
        check_prompt_limits(masked(5), limits)


def test_between_masks_one_can_stop():
    geometry = Geometry.of(np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32), np.ones((1, 8, 8)))
    scene = NormalizedScene.of(
        geometry, np.array([[SIDE, SIDE]], np.int32), np.array([[0, 0, 8, 8]], np.float32), grid_side=4
    )
    asked = 0

    def go_on() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        scene.lift(masked(5), go_on)
    assert asked == 3


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_masks_of_every_mode_are_the_same(mode: str):
    mask = images.decode_mask(png(mode), "mask")
    if mode == "P":
        assert mask.shape == (SIDE, SIDE)
    else:
        assert mask.sum() == 16 * 16 and mask[4:20, 4:20].all()


def test_what_is_transparent_in_a_grey_mask_is_outside():
    with pytest.raises(RequestError, match="mask is empty"):
        images.decode_mask(png("L", transparency=255), "mask")


@pytest.mark.parametrize(
    ("encoding", "says"),
    [(MaskEncoding.RAW, "masks in raw would have 8000 bytes"), (MaskEncoding.PACKED, "packed would have 1000 bytes")],
)
def test_masks_that_are_not_compressed_are_refused_beyond_their_bytes(encoding: MaskEncoding, says: str):
    sizes = np.array([[20, 100], [20, 100]], np.int32)
    check_answer_bytes(sizes, 2, encoding, 8000)
    with pytest.raises(RequestError, match=f"{says}, more than the 999 allowed; ask for rle or png"):
        check_answer_bytes(sizes, 2, encoding, 999)
    for compressed in (MaskEncoding.RLE, MaskEncoding.PNG):
        check_answer_bytes(sizes, 2, compressed, 1)
