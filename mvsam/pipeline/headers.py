"""What an encoded picture says about itself, read without decoding it.

Only the few bytes that name format, size and orientation are looked at, so that a picture that is too large, or is no
picture at all, costs microseconds and no memory.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.orientation import orientation_of, upright_size

_MOST_SEGMENTS = 2000  # before the picture's own data; a photograph has a dozen or two
_SCAN, _END = b"\xff\xda", b"\xff\xd9"
_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]")  # of a JPEG, but for those that stand alone in its data
_MOST_SCANS = 100  # of a progressive JPEG, which usually has ten


class Format(Enum):
    """The formats that are decoded."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"


@dataclass(frozen=True)
class Header:
    """An encoded picture's format, stored size in pixels and orientation (1 to 8, see `orientation`).

    Attributes:
        content: the byte, after metadata and their thumbnails, from which on the picture's own data follow.
    """

    format: Format
    stored_width: int
    stored_height: int
    orientation: int
    content: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright picture."""
        return upright_size(self.stored_width, self.stored_height, self.orientation)


def read_header(data: bytes, name: str) -> Header:
    """Reads a picture's header; the content decides the format, never a file's name.

    Args:
        data: the encoded picture.
        name: what to call it in an error, such as ``IMAGES: view 2``.

    Raises:
        RequestError: no bytes, another format, an animation, or a header that is damaged.
    """
    if not data:
        raise RequestError(f"{name} is empty (zero bytes); send an encoded JPEG, PNG or WebP picture")
    found = _recognise(data)
    if not isinstance(found, Format):
        raise RequestError(f"{name} is {found}; send JPEG, PNG or WebP{_REMEDIES.get(found, '')}")
    try:
        width, height, content = _READERS[found](data, name)
    except (struct.error, IndexError):
        raise RequestError(
            f"{name} is a {found.value} with a truncated or damaged header; send the whole file"
        ) from None
    if width == 0 or height == 0:
        raise RequestError(f"{name} is a {found.value} without pixels; send a picture")
    return Header(found, width, height, orientation_of(data), content)


def check_complete(data: bytes, name: str) -> None:
    """Refuses a file that breaks off, as an interrupted upload leaves it, without decoding what is there.

    Decoding finds other damage, and the rare file that only seems whole.

    Args:
        data: the encoded picture.
        name: what to call it in an error.

    Raises:
        RequestError: the end of the file is missing, it would take far more work than its bytes are worth, or what
            `read_header` refuses.
    """
    header = read_header(data, name)
    match header.format:
        case Format.JPEG:
            _check_work(data, header, name)
            complete = data.rfind(_END, header.content) >= 0
        case Format.PNG:
            complete = data.rfind(b"IEND", header.content) >= 0
        case Format.WEBP:
            complete = len(data) >= 8 + struct.unpack_from("<I", data, 4)[0]
    if not complete:
        raise RequestError(f"{name} is a truncated {header.format.value}; send the whole file")


def _check_work(data: bytes, header: Header, name: str) -> None:
    """Refuses a JPEG whose few bytes claim many pixels, or go over them again and again."""
    blocks = -(-header.stored_width // 8) * -(-header.stored_height // 8)
    if 8 * (len(data) - header.content) < blocks:  # Huffman's codes spend at least one bit on each
        raise RequestError(f"{name} is a JPEG with too little data for its size; send the whole file")
    # A film may follow the picture in the same file, with anything in it: only many of them are counted one by one.
    if data.count(_SCAN, header.content) > _MOST_SCANS and _scans(data, header.content) > _MOST_SCANS:
        raise RequestError(f"{name} is a JPEG of more than {_MOST_SCANS} scans; save it again")


def _scans(data: bytes, position: int) -> int:
    """Scans of a JPEG from its frame header on, up to its end or one more than are allowed."""
    scans = 0
    while scans <= _MOST_SCANS and (marker := _MARKER.search(data, position)):
        if marker[0] == _END:
            break
        scans += marker[0] == _SCAN
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return scans


def _recognise(data: bytes) -> Format | str:
    """The format, or in words what the data is instead."""
    if data.startswith(b"\xff\xd8\xff"):
        return Format.JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return Format.PNG
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return Format.WEBP
    for prefix, description in _OTHERS.items():
        if data.startswith(prefix):
            return description
    if data[4:8] == b"ftyp":
        brands = {data[8:12], *(data[start : start + 4] for start in range(16, min(data[3], 64), 4))}
        kinds = (kind for kind, names in _BRANDS.items() if brands & names)
        return next(kinds, "a video")
    return "in an unknown picture format"


_BRANDS = {  # of ISO's media files
    "an AVIF file": {b"avif", b"avis"},
    "a HEIC file": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"},
}
_OTHERS = {
    b"II*\0": "a TIFF file",
    b"MM\0*": "a TIFF file",
    b"II+\0": "a BigTIFF file",
    b"MM\0+": "a BigTIFF file",
    b"GIF8": "a GIF file",
    b"BM": "a BMP file",
    b"%PDF": "a PDF file",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 file",
    b"\0\0\0\x0cJXL ": "a JPEG XL file",
    b"\xff\x0a": "a JPEG XL file",
    b"<svg": "an SVG file",
    b"<?xml": "an XML file",
}
_REMEDIES = {
    "a HEIC file": " (mvsam-client[heic] converts it)",
    "a video": " (mvsam-client[video] sends its frames)",
} | {
    kind: " (mvsam-client converts it)"
    for kind in ("an AVIF file", "a TIFF file", "a BigTIFF file", "a GIF file", "a BMP file", "a JPEG 2000 file")
}


def _read_jpeg(data: bytes, name: str) -> tuple[int, int, int]:
    """Stored width and height, and where the picture's own data begin, as those of the other formats."""
    position = 2
    for _ in range(_MOST_SEGMENTS):
        fill, marker = data[position], data[position + 1]
        if fill != 0xFF:
            raise IndexError
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a segment
            position += 2
            continue
        length = struct.unpack_from(">H", data, position + 2)[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if marker > 0xC2:
                raise RequestError(f"{name} is a lossless, hierarchical or arithmetic JPEG; save it as a usual one")
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height, position
        if marker in (0xD9, 0xDA):  # the picture's data, and no size so far
            break
        position += 2 + length
    raise IndexError


def _read_png(data: bytes, name: str) -> tuple[int, int, int]:
    chunks = _png_chunks(data)
    kind, start = next(chunks, (b"", 0))
    if kind != b"IHDR":
        raise IndexError
    width, height = struct.unpack_from(">II", data, start)
    for kind, _ in chunks:
        if kind == b"acTL":
            raise RequestError(f"{name} is an animated PNG; send a still picture")
        if kind == b"IDAT":
            break
    return width, height, start


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Type and start of each chunk; stops where the data ends."""
    position = 8
    for _ in range(_MOST_SEGMENTS):
        if position + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, position)
        yield kind, position + 8
        position += 12 + length
    raise IndexError


def _read_webp(data: bytes, name: str) -> tuple[int, int, int]:
    size, position = None, 12
    for _ in range(_MOST_SEGMENTS):
        if position + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, position)
        start = position + 8
        if kind == b"VP8X":
            if data[start] & 0x02:
                raise RequestError(f"{name} is an animated WebP; send a still picture")
            size = tuple(1 + int.from_bytes(data[at : at + 3], "little") for at in (start + 4, start + 7))
        elif kind == b"VP8 " and size is None:
            size = tuple(side & 0x3FFF for side in struct.unpack_from("<HH", data, start + 6))
        elif kind == b"VP8L" and size is None:
            bits = struct.unpack_from("<I", data, start + 1)[0]
            size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        position = start + length + length % 2
    else:
        raise IndexError
    if size is None:
        raise IndexError
    return size[0], size[1], 12


_READERS = {Format.JPEG: _read_jpeg, Format.PNG: _read_png, Format.WEBP: _read_webp}
