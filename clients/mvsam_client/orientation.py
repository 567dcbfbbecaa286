"""Which way up a picture is shown: one rule, in the same file in the server's pipeline and in the client.

A JPEG, PNG or WebP file notes in its metadata how it is to be turned, by EXIF's numbers from 1, as it is stored, to 8.
The first valid note decides: EXIF's orientation (a single integer of any type) before XMP's tiff:Orientation. Whatever
else a file says leaves it as it is stored, and damaged metadata does not spoil a picture.
"""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import IntEnum

from PIL import Image

_STORED = 1
_LYING = 5  # from here on width and height are exchanged
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TAG = 0x0112
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}  # by EXIF's types
_EXIF_PREFIX = re.compile(rb"(?:Exif\0\0){0,2}")
_XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*(\d{1,9})\s*[\"'<]")
_XMP_KEYWORD = b"XML:com.adobe.xmp"
_PROFILE_KEYWORDS = (b"Raw profile type exif", b"Raw profile type APP1", b"Raw profile type xmp")  # ImageMagick's
_MOST_SEGMENTS = 2000  # of a JPEG or WebP file; a photograph has a dozen or two
_MOST_CHUNKS = 65_536  # of a PNG file, whose pixels may lie in thousands
_MOST_TEXT = 2**20  # bytes of a text in a PNG file, decompressed


class _Note(IntEnum):
    """Where an orientation is noted, the decisive place first."""

    EXIF = 0
    EXIF_IN_TEXT = 1
    XMP = 2
    XMP_IN_TEXT = 3


def orientation_of(data: bytes) -> int:
    """Returns how a JPEG, PNG or WebP file is to be turned, 1 to 8, without decoding it; 1 for any other data."""
    for start, read in _READERS.items():
        if data.startswith(start):
            notes: dict[_Note, bytes] = {}
            with suppress(struct.error, IndexError):  # where the file breaks off
                for note, block in read(data):
                    notes.setdefault(note, block)
            return _first_valid(notes)
    return _STORED


def orientation_of_image(image: Image.Image) -> int:
    """Returns how a Pillow image is to be turned, as its file would be; what is changed in its `getexif()` decides."""
    as_read = Image.new("1", (1, 1))
    as_read.info = image.info
    known = _known(image)
    if isinstance(known, int) and known != _known(as_read) and _is_valid(known):
        return known
    notes = {_Note.EXIF: _bytes(image.info.get("exif")), _Note.XMP: _bytes(image.info.get("xmp"))}
    for keyword in _PROFILE_KEYWORDS:
        if text := image.info.get(keyword.decode()):
            notes.setdefault(*_profile(text))
    return _first_valid(notes)


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """Returns the image upright.

    Args:
        image: as it is stored.
        orientation: of `orientation_of` or `orientation_of_image`.
    """
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def upright_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Returns (height, width) of the upright picture, from its size as it is stored."""
    return (width, height) if orientation >= _LYING else (height, width)


def _first_valid(notes: Mapping[_Note, bytes]) -> int:
    for note in sorted(notes):
        find = _in_exif if note in (_Note.EXIF, _Note.EXIF_IN_TEXT) else _in_xmp
        found = find(notes[note])
        if found is not None and _is_valid(found):
            return found
    return _STORED


def _known(image: Image.Image) -> object:
    """What Pillow makes of the metadata, whose rule differs in the details."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return image.getexif().get(_TAG)
    except Exception:  # whatever damage leads it to
        return None


def _is_valid(orientation: int) -> bool:
    return orientation == _STORED or orientation in _TURNS


def _in_exif(exif: bytes) -> int | None:
    """The orientation in a block of EXIF, which has TIFF's structure."""
    start = _EXIF_PREFIX.match(exif)
    exif = exif[start.end() :] if start else exif
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    with suppress(struct.error):
        directory = struct.unpack_from(order + "I", exif, 4)[0]
        entries = struct.unpack_from(order + "H", exif, directory)[0]
        for place in range(directory + 2, directory + 2 + 12 * entries, 12):
            tag, kind, count = struct.unpack_from(order + "HHI", exif, place)
            if tag == _TAG:
                known = kind in _INTEGERS and count == 1
                return struct.unpack_from(order + _INTEGERS[kind], exif, place + 8)[0] if known else None
    return None


def _in_xmp(xmp: bytes) -> int | None:
    found = _XMP_ORIENTATION.search(xmp.replace(b"\0", b""))  # which leaves plain letters of UTF-16
    return int(found[1]) if found else None


def _jpeg_notes(data: bytes) -> Iterator[tuple[_Note, bytes]]:
    """Segments in front of the picture's data; EXIF of more than 64 KB lies in several."""
    exif: list[bytes] = []
    position = 2
    for _ in range(_MOST_SEGMENTS):
        if position + 4 > len(data) or data[position] != 0xFF or data[position + 1] in (0xD9, 0xDA):
            break
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a segment
            position += 2
        else:
            end = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
            if marker == 0xE1:
                segment = data[position + 4 : end]
                if segment.startswith(b"Exif\0\0"):
                    exif.append(segment.removeprefix(b"Exif\0\0"))
                elif segment.startswith(_XMP_PREFIX):
                    yield _Note.XMP, segment
            position = end
    yield _Note.EXIF, b"".join(exif)


def _png_notes(data: bytes) -> Iterator[tuple[_Note, bytes]]:
    """Chunks, which may lie behind the picture's data too."""
    position = 8
    read: set[bytes] = set()
    for _ in range(_MOST_CHUNKS):
        if position + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, position)
        chunk = data[position + 8 : position + 8 + length] if kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt") else b""
        keyword, _, text = chunk.partition(b"\0")
        if kind == b"eXIf":
            yield _Note.EXIF, chunk
        elif keyword in (_XMP_KEYWORD, *_PROFILE_KEYWORDS) and keyword not in read:  # each is decompressed once
            read.add(keyword)
            text = _png_text(kind, text)
            yield (_Note.XMP, text) if keyword == _XMP_KEYWORD else _profile(text)
        position += 12 + length


def _png_text(kind: bytes, text: bytes) -> bytes:
    """What stands behind the keyword of a text chunk, decompressed."""
    compressed = kind == b"zTXt"
    if kind == b"zTXt":
        text = text[1:]
    elif kind == b"iTXt":
        compressed = text[:1] == b"\1"
        _, _, text = text[2:].split(b"\0", 2) if text[2:].count(b"\0") >= 2 else (b"", b"", b"")
    if not compressed:
        return text
    with suppress(zlib.error):
        return zlib.decompressobj().decompress(text, _MOST_TEXT)
    return b""


def _profile(text: str | bytes) -> tuple[_Note, bytes]:
    """EXIF or XMP out of ImageMagick's text: a name, a length and hexadecimal digits, a line each."""
    try:
        block = bytes.fromhex(b"".join(_bytes(text).split(b"\n")[3:]).decode("ascii"))
    except ValueError:
        block = b""
    xmp = block.startswith(_XMP_PREFIX) or b"tiff:Orientation" in block
    return (_Note.XMP_IN_TEXT if xmp else _Note.EXIF_IN_TEXT), block


def _webp_notes(data: bytes) -> Iterator[tuple[_Note, bytes]]:
    position = 12
    for _ in range(_MOST_SEGMENTS):
        if position + 8 > len(data):
            return
        kind, length = struct.unpack_from("<4sI", data, position)
        if kind in (b"EXIF", b"XMP "):
            yield (_Note.EXIF if kind == b"EXIF" else _Note.XMP), data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


_READERS = {b"\xff\xd8\xff": _jpeg_notes, b"\x89PNG\r\n\x1a\n": _png_notes, b"RIFF": _webp_notes}
