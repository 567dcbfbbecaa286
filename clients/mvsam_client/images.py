"""Photographs in the forms users hold them, to the bytes that are sent and to upright pixels.

Coordinates everywhere are pixels of the upright photograph: as a viewer shows it, turned as its metadata say.
"""

import io
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image

from mvsam_client import orientation
from mvsam_client.conversion import DAMAGE, image_as_png, png, sendable
from mvsam_client.eight_bits import eight_bit_rgb
from mvsam_client.errors import InvalidRequestError
from mvsam_client.values import file_path, instance

ImageSource: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | np.ndarray | Photograph"

FORMATS = ("JPEG", "PNG", "WEBP")
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
    """Returns the bytes of a picture file that the server decodes.

    JPEG, PNG and WebP files pass untouched, so that nothing is lost; other pictures and pixels become PNG.

    Args:
        source: a path, a file's bytes, a PIL image or a uint8 array [h, w, 3] (upright, RGB).
        name: how errors call it.

    Raises:
        InvalidRequestError: the file cannot be read or is a video, or the array is not uint8 [h, w, 3].
        MissingExtraError: it is a picture that needs a package which is not installed.
    """
    if isinstance(source, bytes):
        return sendable(source, name)
    if isinstance(source, Photograph):
        return sendable(instance(source.encoded, bytes, name, "give the bytes of a picture file"), name)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return sendable(read_file(path, name), _labelled(name, path))
    if isinstance(source, Image.Image):
        return image_as_png(source, name)
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
        return orientation.upright_size(*picture.size, orientation.orientation_of(encoded))


def upright(encoded: bytes, name: str = "photograph") -> np.ndarray:
    """The decoded photograph as a viewer shows it: uint8 [h, w, 3], RGB.

    Raises:
        InvalidRequestError: the bytes are no whole JPEG, PNG or WebP picture, or one too large to decode.
    """
    with _opened(encoded, name) as picture:
        return np.asarray(eight_bit_rgb(orientation.turned(picture, orientation.orientation_of(encoded)), "white"))


@contextmanager
def _opened(encoded: bytes, name: str) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata that is not used here
            with Image.open(io.BytesIO(encoded), formats=FORMATS) as picture:
                yield picture
    except (*DAMAGE, Image.DecompressionBombError) as error:
        # Pillow's commonest message names the memory address of our buffer, which tells a user nothing.
        cause = "its header is of another kind" if "BytesIO object at" in str(error) else str(error)
        raise InvalidRequestError(f"{name}: not a readable picture ({cause}); give a JPEG, PNG or WebP file") from None


def read_file(path: Path, name: str) -> bytes:
    """Returns a file's bytes as they are.

    Raises:
        InvalidRequestError: it cannot be read.
    """
    file_path(path, name)
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
