"""Pictures of every format that people have are sent as ones that the server decodes, or refused with a remedy."""

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.headers import read_header
from mvsam.pipeline.images import decode_photograph
from mvsam_client import InvalidRequestError, MaskPrompt, MissingExtraError, Photograph, photographs
from mvsam_client.file_types import FileType, file_type
from mvsam_client.given import given
from mvsam_client.images import encode_image, upright
from mvsam_client.prompts import prompt_tensors
from tests.clients.orientations import CARD, turned

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)


def file(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    buffer = BytesIO()
    (image or Image.fromarray(CARD)).save(buffer, kind, **options)
    return buffer.getvalue()


def difference(data: bytes, expected: np.ndarray) -> int:
    """The largest between what the server decodes of the converted file and what it should, within its fields."""
    sent = encode_image(data)
    assert file_type(sent) is FileType.SENT
    shown = decode_photograph(sent, "x")
    assert shown.shape == expected.shape
    np.testing.assert_array_equal(upright(sent), shown)
    return int(np.abs(shown[8::16, 8::16].astype(int) - expected[8::16, 8::16]).max())


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "GIF", "PPM", "JPEG2000"])
def test_what_pillow_reads_is_converted_without_loss(kind):
    assert difference(file(kind), CARD) == 0


def test_avif_is_converted():
    assert difference(file("AVIF", quality=95), CARD) <= 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["TIFF", "AVIF"])
def test_what_is_converted_stands_upright(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert difference(file(kind, exif=exif), turned(orientation)) <= 30


def test_heic_is_converted_upright():
    heif = pytest.importorskip("pillow_heif", reason="the extra `heic` is not installed")
    buffer = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    heif.from_pillow(Image.fromarray(CARD)).save(buffer, quality=95, exif=exif.tobytes())
    assert file_type(buffer.getvalue()) is FileType.HEIC
    assert difference(buffer.getvalue(), turned(6)) <= 30


def test_without_its_package_heic_is_refused_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "IMG_1.HEIC").write_bytes(HEIC)
    for ask in (photographs, lambda folder: given([folder / "IMG_1.HEIC"], None)):
        with pytest.raises(MissingExtraError, match=r"IMG_1\.HEIC is a HEIC .*pip install './clients\[heic\]'"):
            ask(tmp_path)


def test_without_its_codec_avif_is_refused_with_the_remedy(monkeypatch):
    data = file("AVIF")
    monkeypatch.delitem(Image.OPEN, "AVIF")
    with pytest.raises(MissingExtraError, match=r"walk\.avif is an AVIF .*'Pillow>=11\.3'"):
        encode_image(data, "walk.avif")


@pytest.mark.parametrize("data", [file("TIFF")[:-900], HEIC, file("GIF")[:-60], file("AVIF")[:300]])
def test_a_damaged_one_is_named(data):
    if file_type(data) is FileType.HEIC:
        pytest.importorskip("pillow_heif", reason="the extra `heic` is not installed")
    with pytest.raises(InvalidRequestError, match=r"^old\.tif cannot be decoded \(.*\); save it anew as JPEG or PNG"):
        encode_image(data, "old.tif")


def test_a_file_that_pillow_reads_late_is_named_too():
    with Image.open(BytesIO(file("PNG")[:-40])) as cut, pytest.raises(InvalidRequestError, match="photograph cannot"):
        encode_image(cut)


def test_16_bits_and_alpha_survive_the_conversion():
    grey = Image.fromarray(np.full((4, 4), 0x4000, np.uint16))
    assert (decode_photograph(encode_image(file("TIFF", grey)), "x") == 64).all()
    clear = Image.fromarray(np.zeros((4, 4, 4), np.uint8))
    assert (decode_photograph(encode_image(file("TIFF", clear)), "x") == 255).all()


def test_the_first_picture_of_several_is_taken():
    second = Image.fromarray(CARD[::-1].copy())
    for kind in ("GIF", "TIFF"):
        assert difference(file(kind, save_all=True, append_images=[second]), CARD) == 0


def test_a_folder_may_hold_them_all(tmp_path):
    for name, kind in [("a.tif", "TIFF"), ("b.TIFF", "TIFF"), ("c.bmp", "BMP"), ("d.gif", "GIF"), ("e.avif", "AVIF")]:
        (tmp_path / name).write_bytes(file(kind))
    found = photographs(tmp_path)
    assert [each.name for each in found] == ["a.tif", "b.TIFF", "c.bmp", "d.gif", "e.avif"]
    assert all(file_type(each.encoded) is FileType.SENT for each in found)
    assert [each.name for each in given([tmp_path], None)] == [each.name for each in found]


def test_a_photograph_that_was_read_elsewhere_is_converted_too():
    (found,) = photographs([Photograph("a.bmp", file("BMP"))])
    assert found.name == "a.bmp" and file_type(found.encoded) is FileType.SENT


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (file("TIFF"), "a TIFF"),
        (file("BMP"), "a BMP"),
        (file("GIF"), "a GIF"),
        (file("AVIF"), "an AVIF"),
        (HEIC, "a HEIC"),
        (HEIC.replace(b"ftypheic", b"ftypmif1"), "a HEIC"),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp42avc1" + bytes(40), "a video"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_servers_refusal_says_how(data, named):
    with pytest.raises(
        RequestError, match=rf"^IMAGES: view 3 is {named}.*; send JPEG, PNG or WebP.*mvsam-client"
    ) as said:
        read_header(data, "IMAGES: view 3")
    assert ("[heic]" in str(said.value)) == ("HEIC" in named)


def test_a_mask_is_sent_as_it_is(tmp_path: Path):
    """Its transparent pixels must not turn white, which would be inside."""
    path = tmp_path / "mask.tif"
    path.write_bytes(file("TIFF", Image.fromarray(np.zeros((4, 4, 4), np.uint8))))
    assert prompt_tensors([], masks=[MaskPrompt(0, path)])["PROMPT_MASKS"].tolist() == [path.read_bytes()]
