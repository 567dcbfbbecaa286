import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.headers import Format, check_complete, read_header


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
@pytest.mark.parametrize("orientation", [None, *range(1, 9)])
def test_size_is_that_of_the_upright_picture(encode, kind, orientation):
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    header = read_header(encode(Image.new("RGB", (31, 17)), kind, exif=exif), "IMAGES: view 0")
    assert header.format is Format(kind)
    assert header.size == ((31, 17) if (orientation or 1) >= 5 else (17, 31))


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": False}, {"exif": Image.Exif()}])
def test_every_kind_of_webp_gives_its_size(encode, options):
    assert read_header(encode(Image.new("RGB", (300, 7)), "WebP", **options), "x").size == (7, 300)
    assert read_header(encode(Image.new("RGBA", (300, 7), (0, 0, 0, 9)), "WebP", **options), "x").size == (7, 300)


def test_progressive_jpeg_gives_its_size(encode):
    assert read_header(encode(Image.new("RGB", (30, 7)), "JPEG", progressive=True), "x").size == (7, 30)


@pytest.mark.parametrize(
    ("kind", "named"),
    [("TIFF", "TIFF"), ("GIF", "GIF"), ("BMP", "BMP"), ("AVIF", "AVIF"), ("PPM", "unknown")],
)
def test_other_formats_are_named(encode, kind, named):
    with pytest.raises(RequestError, match=f"IMAGES: view 3 is .*{named}.*send JPEG, PNG or WebP"):
        read_header(encode(Image.new("RGB", (8, 8)), kind), "IMAGES: view 3")


def test_heic_is_named():
    with pytest.raises(RequestError, match="HEIC"):
        read_header(b"\0\0\0\x18ftypheic" + bytes(40), "x")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
def test_a_header_cut_anywhere_is_a_request_error_or_still_right(photograph, kind):
    data = photograph(16, 9, kind)
    for length in range(min(len(data), 700)):
        try:
            assert read_header(data[:length], "x").size == (9, 16)
        except RequestError:
            continue


def test_damaged_exif_leaves_the_picture_as_it_is(encode):
    data = encode(Image.new("RGB", (31, 17)), "JPEG", exif=b"Exif\0\0II*\0" + struct.pack("<IH", 8, 60000))
    assert read_header(data, "x").size == (17, 31)


def test_animations_are_refused(encode):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    with pytest.raises(RequestError, match="animated"):
        read_header(encode(frames[0], "WebP", save_all=True, append_images=frames[1:]), "x")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}], ids=str)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_dullest_photographs_are_complete(encode, mode, options):
    data = encode(Image.new(mode, (4000, 3000)), "JPEG", **options)
    assert len(data) < 300_000
    check_complete(data, "x")


def test_a_film_behind_the_picture_is_nobodys_business(photograph):
    check_complete(photograph(64, 48, "JPEG") + b"ftypmp42" + b"\xff\xda\x00\x08" * 500, "x")


def test_scans_are_counted_though_a_comment_feigns_the_end(encode):
    data = encode(Image.effect_noise((64, 48), 50), "JPEG", progressive=True)
    scan = data.rindex(b"\xff\xda")
    comment = b"\xff\xfe\x00\x04\xff\xd9"
    with pytest.raises(RequestError, match="more than 100 scans"):
        check_complete(data[:scan] + comment + data[scan:-2] * 101 + data[-2:], "x")


def test_endless_headers_are_given_up():
    chunk = struct.pack(">I4s", 0, b"tEXt") + struct.pack(">I", zlib.crc32(b"tEXt"))
    ihdr = struct.pack(">I4sIIBBBBBI", 13, b"IHDR", 8, 8, 8, 2, 0, 0, 0, 0)
    for data in (b"\x89PNG\r\n\x1a\n" + ihdr + chunk * 100_000, b"\xff\xd8" + b"\xff" * 1_000_000):
        with pytest.raises(RequestError, match="damaged"):
            read_header(data, "x")


def test_random_bytes_never_raise_anything_but_a_request_error(rng, photograph):
    for kind in ("JPEG", "PNG", "WebP"):
        for _ in range(300):
            data = np.frombuffer(photograph(9, 9, kind), np.uint8).copy()
            data[rng.integers(3 if kind == "JPEG" else 12, len(data), 8)] = rng.integers(0, 256, 8)
            try:
                read_header(data.tobytes(), "x")
            except RequestError:
                continue
