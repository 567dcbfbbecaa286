import numpy as np
import pytest
from PIL import Image, ImageOps

from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.images import decode_mask, decode_photograph

COLOURS = np.array(
    [[[250, 10, 20], [10, 240, 30]], [[20, 30, 230], [200, 210, 220]], [[0, 0, 0], [255, 255, 255]]], np.uint8
)
CARD = COLOURS.repeat(16, axis=0).repeat(16, axis=1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_upright(encode, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode_photograph(encode(CARD, kind, exif=exif, quality=95), "x")
    stored = Image.fromarray(CARD)
    stored.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(stored)).astype(int)
    assert decoded.shape == expected.shape
    assert np.abs(decoded[8::16, 8::16] - expected[8::16, 8::16]).max() <= (0 if kind == "PNG" else 12)


def test_grey_palette_and_16_bit_pictures_become_rgb(encode):
    grey = CARD[..., 0]
    in_three = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_array_equal(decode_photograph(encode(grey), "x"), in_three)
    np.testing.assert_array_equal(decode_photograph(encode(grey.astype(np.uint16) * 257), "x"), in_three)
    np.testing.assert_array_equal(decode_photograph(encode(Image.fromarray(CARD).quantize(8)), "x"), CARD)
    bilevel = decode_photograph(encode(Image.fromarray(grey > 100)), "x")
    np.testing.assert_array_equal(bilevel[..., 0], np.where(grey > 100, 255, 0))


def test_cmyk_keeps_its_colours(encode):
    decoded = decode_photograph(encode(Image.fromarray(CARD).convert("CMYK"), "JPEG", quality=95), "x").astype(int)
    assert np.abs(decoded[8::16, 8::16] - COLOURS).max() <= 12


@pytest.mark.parametrize("kind", ["PNG", "WebP"])
def test_what_is_transparent_looks_white(encode, kind):
    image = Image.fromarray(CARD).convert("RGBA")
    image.putalpha(Image.fromarray(np.where(np.arange(48)[:, None] < 16, 0, 255).astype(np.uint8).repeat(32, axis=1)))
    decoded = decode_photograph(encode(image, kind, lossless=True), "x")
    assert (decoded[:16] == 255).all()
    np.testing.assert_array_equal(decoded[16:], CARD[16:])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_truncated_pictures_are_a_request_error(photograph, kind, part):
    data = photograph(64, 48, kind)
    with pytest.raises(RequestError, match=r"IMAGES: view 1 is .*(truncated|damaged).*send the whole file"):
        decode_photograph(data[: int(part * len(data))], "IMAGES: view 1")


def test_bytes_flipped_anywhere_never_raise_anything_but_a_request_error(rng, photograph):
    for kind in ("JPEG", "PNG", "WebP"):
        data = np.frombuffer(photograph(20, 20, kind), np.uint8)
        for _ in range(200):
            damaged = data.copy()
            damaged[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
            header_size = np.frombuffer(damaged[16:24], ">u4") if kind == "PNG" else [0]
            if max(header_size) > 4000:  # the pixel limit comes first in a request
                continue
            try:
                decode_photograph(damaged.tobytes(), "x")
            except RequestError:
                continue


@pytest.mark.parametrize("value", [1, 255])
def test_a_mask_is_whatever_is_not_black(encode, value):
    mask = np.zeros((9, 7), bool)
    mask[2:5, 3:6] = True
    grey = mask.astype(np.uint8) * np.uint8(value)
    for picture in (grey, grey.astype(np.uint16), np.repeat(grey[..., None], 3, axis=2), mask):
        np.testing.assert_array_equal(decode_mask(encode(picture), "x"), mask)
    cut_out = np.dstack([np.full((9, 7, 3), 200, np.uint8), mask.astype(np.uint8) * np.uint8(255)])
    np.testing.assert_array_equal(decode_mask(encode(cut_out), "x"), mask)


def test_an_empty_mask_is_a_request_error(encode):
    with pytest.raises(RequestError, match="PROMPT_MASKS: mask 0 is empty"):
        decode_mask(encode(np.zeros((4, 4), np.uint8)), "PROMPT_MASKS: mask 0")
