"""A picture held in Python is the same picture as its file, for the server and in everything that is drawn of it."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mvsam.pipeline.images import decode_photograph
from mvsam_client import Click, Client, InvalidRequestError, outputs
from mvsam_client.images import encode_image, upright

GREY = np.array([[0, 0x0040, 0x4000], [0x7FFF, 0x8000, 0xFFFF]], np.uint16)
RGB = np.array([[[250, 10, 20], [10, 240, 30]], [[20, 30, 230], [1, 2, 3]]], np.uint8)
ALPHA = np.array([[0, 128], [255, 255]], np.uint8)


def shown(image: Image.Image) -> np.ndarray:
    """The PIL image as the server decodes what the client sends."""
    return decode_photograph(encode_image(image), "x")


def file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def on_white(colours: np.ndarray) -> np.ndarray:
    share = ALPHA[..., None] / 255
    return np.round(colours * share + 255 * (1 - share))


def with_alpha(colours: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([colours, ALPHA]))


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B", "I"])
def test_grey_of_16_bits_is_scaled(mode):
    image = Image.fromarray(GREY.astype(np.int32)) if mode == "I" else Image.fromarray(GREY)
    if mode in ("I;16L", "I;16B"):
        kind = "<u2" if mode == "I;16L" else ">u2"
        image = Image.frombytes(mode, (3, 2), GREY.astype(kind).tobytes())
    assert image.mode == mode
    found = shown(image)
    np.testing.assert_array_equal(found, np.repeat((GREY >> 8)[..., None], 3, axis=2))
    assert found[0, 2].tolist() == [64, 64, 64]


def test_numbers_that_16_bits_do_not_hold_become_black_and_white():
    np.testing.assert_array_equal(shown(Image.fromarray(np.array([[-5, 70_000]], np.int32)))[0, :, 0], [0, 255])


TRANSPARENT = {
    "RGBA": with_alpha(RGB),
    "premultiplied RGBA": with_alpha(RGB).convert("RGBa"),
    "LA": Image.fromarray(np.dstack([RGB[..., 0], ALPHA])),
    "premultiplied LA": Image.fromarray(np.dstack([RGB[..., 0], ALPHA])).convert("La"),
    "RGBA of a palette": with_alpha(RGB // 85 * 85).convert("PA"),
}


@pytest.mark.parametrize("name", TRANSPARENT)
def test_what_is_transparent_looks_white(name):
    opaque = TRANSPARENT[name].convert("LA" if name.endswith("LA") else "RGBA").convert("RGB")
    assert np.abs(shown(TRANSPARENT[name]) - on_white(np.asarray(opaque))).max() <= 1


def palette() -> Image.Image:
    image = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8), "P")
    image.putpalette(RGB.tobytes())
    return image


def test_a_palette_with_transparent_colours_looks_white_there():
    data = file(palette(), transparency=bytes([0, 128, 255, 255]))
    with Image.open(BytesIO(data)) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(shown(image), decode_photograph(data, "x"))
        assert np.abs(shown(image) - on_white(RGB)).max() <= 1


@pytest.mark.parametrize(
    ("image", "transparency"),
    [
        (Image.fromarray(RGB), tuple(RGB[0, 1].tolist())),
        (Image.fromarray(RGB[..., 0]), int(RGB[0, 1, 0])),
        (palette(), 1),
        (Image.fromarray(GREY[:, 1:]), int(GREY[0, 1])),
    ],
    ids=["RGB", "L", "P", "I;16"],
)
def test_a_single_transparent_colour_looks_white(image, transparency):
    data = file(image, transparency=transparency)
    with Image.open(BytesIO(data)) as opened:
        found = shown(opened)
    expected = shown(image).copy()
    expected[(0, 0) if image.mode == "I;16" else (0, 1)] = 255
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(decode_photograph(data, "x"), expected)


def test_other_modes_keep_their_colours():
    for mode in ("CMYK", "YCbCr", "LAB", "HSV", "RGBX", "1", "L"):
        image = Image.fromarray(RGB).convert(mode)
        np.testing.assert_array_equal(shown(image), np.asarray(image.convert("RGB")))


def test_floating_point_numbers_are_refused():
    with pytest.raises(InvalidRequestError, match=r"^photograph 0 .* scale them to 8 bits"):
        encode_image(Image.new("F", (4, 4)), "photograph 0")


@pytest.mark.parametrize("kind", ["16 bits", "transparent"])
def test_overlay_sheet_and_cloud_show_the_picture_that_the_server_saw(server, tmp_path, kind):
    values = np.full((60, 80), 0x4000, np.uint16)
    transparent = Image.fromarray(np.zeros((60, 80, 4), np.uint8))
    photograph = Image.fromarray(values) if kind == "16 bits" else transparent
    expected = 64 if kind == "16 bits" else 255
    server.finds_nothing = True
    for source in (photograph, file(photograph)):
        with Client(server.url) as client:
            result = client.segment([source], points=[Click(0, 1, 1)], outputs=outputs.CLOUD_OUTPUTS)
        assert (decode_photograph(server.received["IMAGES"][0], "x") == expected).all()
        saved = outputs.save(tmp_path, result, [source], ["p.png"])
        with Image.open(saved.overlays[0]) as overlay:
            assert np.abs(np.asarray(overlay).astype(int) - expected).max() <= 2
        with Image.open(saved.contact_sheet) as sheet:
            assert (np.asarray(sheet)[30, 30] == expected).all()
        colours = outputs.cloud.point_cloud(result, [source], result.extra).colours
        assert len(colours) and (colours == expected).all()
        np.testing.assert_array_equal(upright(encode_image(source)), expected)
