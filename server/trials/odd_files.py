"""Files that are no photographs, or that are made to harm whoever opens them, by name."""

import gzip
import io
import pickle
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MEBIBYTE = 2**20


def odd_files() -> Iterator[tuple[str, bytes]]:
    """Names and contents, one at a time, since some are large."""
    yield from _no_pictures()
    yield from _other_pictures()
    yield from _of_png()
    yield from _of_jpeg()
    yield from _of_webp()


def _picture(kind: str, size: tuple[int, int] = (96, 64), mode: str = "RGB", **options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(file, kind, **options)
    return file.getvalue()


def _no_pictures() -> Iterator[tuple[str, bytes]]:
    yield "nothing", b""
    yield "one byte", b"\xff"
    yield "text", b"a photograph, honestly"
    yield "HTML", b"<!doctype html><img src=photograph.jpg>"
    yield "a script", b"#!/bin/sh\nrm -rf /\n"
    yield "a path", b"/etc/passwd"
    yield "an address", b"http://127.0.0.1/photograph.jpg"
    yield "JSON", b'{"image": "iVBORw0KGgo="}'
    yield "random bytes", random.Random(0).randbytes(50_000)
    yield "zeros", bytes(MEBIBYTE)
    yield "65 MiB of zeros", bytes(65 * MEBIBYTE)
    yield "a pickle", pickle.dumps([1, 2, 3])
    yield "a NumPy array", _saved(lambda file: np.save(file, np.zeros((4, 4, 3))))
    yield "a zip archive", _saved(_zipped)
    yield "a gzip bomb", gzip.compress(bytes(20 * MEBIBYTE))
    yield "a PDF", b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
    yield "a program", b"\x7fELF\x02\x01\x01" + bytes(200)
    laughs = "".join(f'<!ENTITY a{k} "{f"&a{k - 1};" * 10}">' for k in range(1, 10))
    yield "SVG with a billion laughs", f'<!DOCTYPE svg [<!ENTITY a0 "ha">{laughs}]><svg>&a9;</svg>'.encode()


def _other_pictures() -> Iterator[tuple[str, bytes]]:
    for kind in ("GIF", "BMP", "TIFF", "ICO", "PPM", "TGA", "PCX"):
        yield kind, _picture(kind)
    yield "TIFF of 4 gigapixels", _tiff(65_535, 65_535)
    yield (
        "BMP of 4 gigapixels",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 65535, 65535, 1, 24, *[0] * 6),
    )
    yield "HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    yield "AVIF", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(100)
    yield "JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100)
    yield "Photoshop", b"8BPS\0\x01" + bytes(100)
    yield "a film", b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + bytes(100)


def _of_png() -> Iterator[tuple[str, bytes]]:
    whole = _picture("PNG")
    yield "PNG: its signature alone", SIGNATURE
    yield "PNG: half of it", whole[: len(whole) // 2]
    yield "PNG: without its end", whole[:-12]
    yield "PNG: a hole in its middle", _holed(whole)
    yield "PNG: a header of 4 gigapixels", SIGNATURE + _chunk(b"IHDR", _header(65_535, 65_535))
    yield "PNG: 4 gigapixels, compressed", _png(65_535, 65_535, zlib.compress(bytes(4 * MEBIBYTE), 9))
    yield "PNG: sides of 2^31", _png(2**31 - 1, 2**31 - 1, b"")
    yield "PNG: no width", _png(0, 64, zlib.compress(b"\0"))
    yield "PNG: a line a million pixels long", _png(1_000_000, 60, zlib.compress(bytes(100)))
    yield "PNG: no data", _png(96, 64, b"")
    yield "PNG: too little data", _png(96, 64, zlib.compress(bytes(10)))
    yield "PNG: data that do not unpack", _png(96, 64, bytes(500))
    bomb = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50 * MEBIBYTE), 9))
    yield "PNG: text that unpacks to 50 MiB, and no picture", SIGNATURE + _chunk(b"IHDR", _header(96, 64)) + bomb
    yield "PNG: a chunk longer than the file", SIGNATURE + _chunk(b"IHDR", _header(96, 64)) + b"\x7f\xff\xff\xffIDAT"
    yield (
        "PNG: a hundred thousand empty chunks",
        (SIGNATURE + _chunk(b"IHDR", _header(96, 64)) + _chunk(b"tEXt", b"") * 100_000),
    )
    frame = Image.new("RGB", (96, 64))
    more = [Image.new("RGB", (96, 64), (k, 0, 0)) for k in range(1, 3)]
    yield "PNG: an animation", _saved(lambda file: frame.save(file, "PNG", save_all=True, append_images=more))


def _of_jpeg() -> Iterator[tuple[str, bytes]]:
    whole = _picture("JPEG")
    frame = whole.index(b"\xff\xc0")
    yield "JPEG: its first two bytes", whole[:2]
    yield "JPEG: cut in its header", whole[: frame + 4]
    yield "JPEG: half of it", whole[: len(whole) // 2]
    yield "JPEG: without its end", whole[:-2]
    yield "JPEG: no frame", whole[:frame] + b"\xff\xd9"
    yield "JPEG: no height", _with_size(whole, frame, 0, 96)
    yield "JPEG: no width", _with_size(whole, frame, 64, 0)
    yield "JPEG: 4 gigapixels", _with_size(whole, frame, 65_500, 65_500)
    yield "JPEG: larger than its data", _with_size(whole, frame, 6_000, 8_000)
    yield "JPEG: a hundred thousand segments", whole[:2] + b"\xff\xfe\0\x02" * 100_000 + whole[2:]
    yield "JPEG: a segment longer than the file", whole[:2] + b"\xff\xe1\xff\xff" + bytes(10)
    yield "JPEG: a marker and then zeros", whole[:2] + bytes(100_000)
    yield "JPEG: lossless", whole.replace(b"\xff\xc0", b"\xff\xc3", 1)
    yield "JPEG: arithmetic coding", whole.replace(b"\xff\xc0", b"\xff\xc9", 1)
    yield "JPEG: of no tables", whole.replace(b"\xff\xdb", b"\xff\xfe").replace(b"\xff\xc4", b"\xff\xfe")
    scans = _picture("JPEG", progressive=True)
    last = scans.rindex(b"\xff\xda")
    large = _with_size(scans, scans.index(b"\xff\xc2"), 4_000, 4_000)
    yield "JPEG: a thousand scans of 16 megapixels", large[:-2] + scans[last:-2] * 1_000 + scans[-2:]


def _of_webp() -> Iterator[tuple[str, bytes]]:
    whole = _picture("WEBP")
    yield "WebP: its head alone", whole[:12]
    yield "WebP: half of it", whole[: len(whole) // 2]
    yield "WebP: a length beyond its end", whole[:4] + struct.pack("<I", 2**31) + whole[8:]
    yield "WebP: a canvas of 2^24 by 2^24", _canvas(2**24, 2**24)
    yield "WebP: a canvas without a picture", _canvas(96, 64)
    first, more = Image.new("RGB", (96, 64)), [Image.new("RGB", (96, 64), (200, 0, 0))]
    yield "WebP: an animation", _saved(lambda file: first.save(file, "WEBP", save_all=True, append_images=more))


def _saved(save: Callable[[io.BytesIO], None]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def _zipped(file: io.BytesIO) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("photograph.jpg", _picture("JPEG"))


def _holed(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(100) + data[middle + 100 :]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _header(width: int, height: int) -> bytes:
    return struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)


def _png(width: int, height: int, data: bytes) -> bytes:
    return SIGNATURE + _chunk(b"IHDR", _header(width, height)) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _tiff(width: int, height: int) -> bytes:
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height), (279, 100)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(104)


def _with_size(data: bytes, frame: int, height: int, width: int) -> bytes:
    """A JPEG whose frame header, at this place, says another size."""
    return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]


def _canvas(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sides
