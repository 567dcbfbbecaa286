"""Server and client show a photograph the same way up, wherever and however its file notes it."""

import warnings
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mvsam.pipeline.headers import read_header
from mvsam.pipeline.images import decode_photograph
from mvsam_client.images import encode_image, upright, upright_size
from tests.clients import orientations
from tests.clients.orientations import (
    ASCII,
    BYTE,
    CARD,
    FLOAT,
    FORMATS,
    LONG,
    RATIONAL,
    SBYTE,
    SHORT,
    SLONG,
    SSHORT,
    UNDEFINED,
    chunk,
    exif,
    picture,
    png,
    raw_profile,
    xmp,
)

ELEMENT = "<tiff:Orientation>{}</tiff:Orientation>"


def check(data: bytes, orientation: int) -> None:
    """Server, client and a PIL image of the file show the picture as it is to be shown."""
    expected = orientations.turned(orientation).astype(int)
    size = expected.shape[:2]
    assert read_header(data, "x").size == upright_size(data) == size
    shown = decode_photograph(data, "x")
    np.testing.assert_array_equal(upright(data), shown)
    assert np.abs(shown[8::16, 8::16] - expected[8::16, 8::16]).max() <= 12
    with warnings.catch_warnings(action="ignore"):  # Pillow's, over damaged metadata
        opened = Image.open(BytesIO(data))
    with opened:
        np.testing.assert_array_equal(upright(encode_image(opened)), shown)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_heeded_in_every_format(kind, orientation):
    check(picture(kind, exif(orientation)), orientation)
    check(picture(kind, exif(orientation, order=">")), orientation)
    check(picture(kind, xmp_block=xmp(orientation)), orientation)
    check(picture(kind, xmp_block=xmp(orientation, ELEMENT)), orientation)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("integer", [BYTE, SHORT, LONG, SBYTE, SSHORT, SLONG])
@pytest.mark.parametrize("kind", FORMATS)
def test_any_integer_type_of_exif_will_do(kind, integer, order):
    check(picture(kind, exif(6, integer, order)), 6)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "block",
    [
        exif(9),
        exif(0),
        exif(65535),
        exif(-6, SLONG),
        exif(6, count=0),
        exif(6, count=2),
        exif(6, ASCII),
        exif(ord("6"), ASCII, count=2),
        exif(6, RATIONAL),
        exif(6, FLOAT),
        exif(6, UNDEFINED),
        exif(6, 99),
        exif(6)[:20],
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0",
        b"Exif\0\0no TIFF at all",
    ],
    ids=str,
)
def test_what_is_no_orientation_leaves_the_picture_as_it_is_and_xmp_to_decide(kind, block):
    check(picture(kind, block), 1)
    check(picture(kind, block, xmp(8)), 8)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("value", [0, 9, 66, "", "six", "-6"])
def test_xmp_may_be_wrong_too(kind, value):
    check(picture(kind, xmp_block=xmp(value)), 1)
    check(picture(kind, xmp_block=xmp(value, ELEMENT)), 1)


@pytest.mark.parametrize("kind", FORMATS)
def test_exif_goes_before_xmp(kind):
    check(picture(kind, exif(3), xmp(6)), 3)


@pytest.mark.parametrize("behind", [False, True], ids=["in front of the pixels", "behind the pixels"])
@pytest.mark.parametrize(
    "noted",
    [
        chunk(b"eXIf", exif(6).removeprefix(b"Exif\0\0")),
        chunk(b"eXIf", exif(6)),
        chunk(b"tEXt", raw_profile("exif", exif(6))),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw_profile("exif", exif(6)).split(b"\0", 1)[1])),
        chunk(b"tEXt", raw_profile("APP1", exif(6))),
        chunk(b"tEXt", raw_profile("APP1", b"http://ns.adobe.com/xap/1.0/\0" + xmp(6))),
        chunk(b"tEXt", raw_profile("xmp", xmp(6))),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(6)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0en\0\0" + zlib.compress(xmp(6))),
    ],
    ids=lambda noted: noted[4:48].decode("latin-1"),
)
def test_a_png_may_note_it_in_a_text(noted, behind):
    check(png(noted, behind=behind), 6)


@pytest.mark.parametrize(
    "noted",
    [
        chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 4\nno digits"),
        chunk(b"tEXt", b"Raw profile type exif\0"),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0"),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0no zlib"),
    ],
    ids=lambda noted: noted[4:60].decode("latin-1"),
)
def test_a_damaged_text_leaves_the_picture_as_it_is(noted):
    check(png(noted), 1)


def test_exif_behind_the_frame_header_of_a_jpeg_counts():
    data = picture("JPEG", exif(6))
    start = data.index(b"\xff\xe1")
    end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    scan = data.index(b"\xff\xda")
    check(data[:start] + data[end:scan] + data[start:end] + data[scan:], 6)


def test_an_orientation_set_in_python_counts():
    image = Image.fromarray(CARD)
    image.getexif()[0x0112] = 6
    np.testing.assert_array_equal(upright(encode_image(image)), orientations.turned(6))
