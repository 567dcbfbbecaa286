"""Picture files that note their orientation in every place where one can be noted."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

COLOURS = np.array(
    [[[250, 10, 20], [10, 240, 30]], [[20, 30, 230], [200, 210, 220]], [[0, 0, 0], [255, 255, 255]]], np.uint8
)
CARD = COLOURS.repeat(16, axis=0).repeat(16, axis=1)  # 48 high, 32 wide: no turn leaves it as it is
FORMATS = ("JPEG", "PNG", "WEBP")
BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED, SSHORT, SLONG, FLOAT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 11
CODES = {BYTE: "B", SHORT: "H", LONG: "I", SBYTE: "b", SSHORT: "h", SLONG: "i"}


def exif(value: int, kind: int = SHORT, order: str = "<", count: int = 1) -> bytes:
    """A block with one entry, the orientation."""
    content = struct.pack(order + CODES.get(kind, "B"), value).ljust(4, b"\0")
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
    return b"Exif\0\0" + head + struct.pack(order + "HHHI", 1, 0x0112, kind, count) + content + bytes(4)


def xmp(value: object, form: str = 'tiff:Orientation="{}"') -> bytes:
    """A packet; `form` is how the orientation stands in it."""
    inner = form.format(value)
    attribute, element = ("", inner) if inner.startswith("<") else (inner, "")
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" {attribute}>{element}</rdf:Description></rdf:RDF>'
        "</x:xmpmeta>"
    ).encode()


def picture(kind: str, exif_block: bytes = b"", xmp_block: bytes = b"") -> bytes:
    """A file of CARD with metadata."""
    if kind == "PNG":
        itxt = [chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp_block)] if xmp_block else []
        blocks = [chunk(b"eXIf", exif_block.removeprefix(b"Exif\0\0"))] if exif_block else []
        return png(*blocks, *itxt)
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95}
    buffer = BytesIO()
    Image.fromarray(CARD).save(buffer, kind, exif=exif_block, xmp=xmp_block, **options)
    return buffer.getvalue()


def png(*chunks: bytes, behind: bool = False) -> bytes:
    """CARD with chunks in front of, or behind, its pixels."""
    buffer = BytesIO()
    Image.fromarray(CARD).save(buffer, "PNG")
    plain = buffer.getvalue()
    place = plain.index(b"IEND" if behind else b"IDAT") - 4
    return plain[:place] + b"".join(chunks) + plain[place:]


def chunk(kind: bytes, content: bytes) -> bytes:
    """One of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def raw_profile(kind: str, content: bytes) -> bytes:
    """ImageMagick's text of EXIF or XMP: keyword, name, length and hexadecimal digits."""
    digits = content.hex()
    lines = "\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    return f"Raw profile type {kind}\0\n{kind}\n{len(content):8}\n{lines}\n".encode()


def turned(orientation: int) -> np.ndarray:
    """CARD as it is to be shown, by Pillow's own rule."""
    stored = Image.fromarray(CARD)
    stored.getexif()[0x0112] = orientation
    return np.asarray(ImageOps.exif_transpose(stored))
