"""Photographs in the forms users hold them, to the bytes that are sent and to upright pixels.

Coordinates everywhere are pixels of the upright photograph: as a viewer shows it, its EXIF orientation applied.
"""

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageOps

from mvsam_client.errors import InvalidRequestError

ImageSource: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | np.ndarray | Photograph"

FORMATS = ("JPEG", "PNG", "WEBP")
_ORIENTATION, _LYING = 0x0112, 5  # EXIF's tag, and its values from which on width and height are exchanged
_LARGEST_MESSAGE = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Photograph:
    """A picture that has been read.

    Attributes:
        name: of its file, or one that tells it apart.
        encoded: the bytes of a picture file.
    """

    name: str
    encoded: bytes = field(repr=False)


def encode_image(source: ImageSource, name: str = "photograph") -> bytes:
    """The bytes of a picture file.

    Files and bytes pass untouched, so that nothing is lost and the server reads the EXIF orientation itself; pixels
    become PNG.

    Args:
        source: a path, a file's bytes, a PIL image or a uint8 array [h, w, 3] (upright, RGB).
        name: how errors call it.

    Raises:
        InvalidRequestError: the file cannot be read, or the array is not uint8 [h, w, 3].
    """
    if isinstance(source, bytes):
        return source
    if isinstance(source, Photograph):
        return source.encoded
    if isinstance(source, str | os.PathLike):
        return _read(Path(source), name)
    if isinstance(source, Image.Image):
        return png(ImageOps.exif_transpose(source).convert("RGB"))
    if not isinstance(source, np.ndarray):
        raise InvalidRequestError(
            f"{name}: an object of type {type(source).__name__} is no picture; "
            f"give a path, bytes, a PIL image or a uint8 array [h, w, 3]"
        )
    if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3 or source.size == 0:
        raise InvalidRequestError(
            f"{name}: the array is {source.dtype} {list(source.shape)}; give uint8 [h, w, 3], red first"
        )
    return png(Image.fromarray(np.ascontiguousarray(source)))


def png(picture: Image.Image) -> bytes:
    """A picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    # The lightest compression: the file lives for one request.
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def check_picture(encoded: bytes, name: str = "photograph") -> None:
    """Reads the file's header and decodes nothing.

    Raises:
        InvalidRequestError: the bytes are no JPEG, PNG or WebP picture, or one too large to decode.
    """
    with _opened(encoded, name):
        pass


def upright_size(encoded: bytes, name: str = "photograph") -> tuple[int, int]:
    """(height, width) of the photograph as a viewer shows it, read from the file's header.

    Raises:
        InvalidRequestError: as for `check_picture`.
    """
    with _opened(encoded, name) as picture:
        width, height = picture.size
        return (width, height) if picture.getexif().get(_ORIENTATION, 1) >= _LYING else (height, width)


def upright(encoded: bytes, name: str = "photograph") -> np.ndarray:
    """The decoded photograph as a viewer shows it: uint8 [h, w, 3], RGB.

    Raises:
        InvalidRequestError: the bytes are no whole JPEG, PNG or WebP picture, or one too large to decode.
    """
    with _opened(encoded, name) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


@contextmanager
def _opened(encoded: bytes, name: str) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as picture:
            yield picture
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        # Pillow's commonest message names the memory address of our buffer, which tells a user nothing.
        cause = "its header is of another kind" if "BytesIO object at" in str(error) else str(error)
        raise InvalidRequestError(f"{name}: not a readable picture ({cause}); give a JPEG, PNG or WebP file") from None


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except IsADirectoryError:
        raise InvalidRequestError(f"{_labelled(name, path)} is a folder; name its files, e.g. {path}/*.jpg") from None
    except OSError as error:
        raise InvalidRequestError(
            f"{_labelled(name, path)} cannot be read ({error.strerror}); check the path"
        ) from None


def _labelled(name: str, path: Path) -> str:
    return name if name == str(path) else f"{name}: {path}"


def encode_images(images: Iterable[ImageSource]) -> np.ndarray:
    """Photographs as the tensor IMAGES: object [N] of encoded files.

    Raises:
        InvalidRequestError: there is none, one cannot be read, or they are too large together.
    """
    encoded = [encode_image(image, f"photograph {i}") for i, image in enumerate(images)]
    if not encoded:
        raise InvalidRequestError("images: there are none; give at least one photograph")
    total = sum(map(len, encoded))
    if total > _LARGEST_MESSAGE:
        raise InvalidRequestError(
            f"images: {len(encoded)} photographs of {total / 1e9:.1f} GB exceed a request's 2.1 GB; "
            f"send fewer or smaller ones"
        )
    return np.array(encoded, object)
