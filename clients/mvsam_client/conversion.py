"""Pictures that the server does not decode, and those that Python programs hold, to the bytes of a PNG file."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from mvsam_client.eight_bits import eight_bit_rgb
from mvsam_client.errors import InvalidRequestError, MissingExtraError, missing_extra
from mvsam_client.file_types import FileType, file_type
from mvsam_client.orientation import orientation_of_image, turned

CONVERTED = ("AVIF", "BMP", "GIF", "JPEG2000", "PPM", "TIFF")  # by Pillow; none of them starts another program
# What Pillow raises over a damaged file.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)


def sendable(data: bytes, name: str) -> bytes:
    """Returns a picture file that the server decodes: the same bytes, or a PNG file of what Pillow reads.

    Of an animation or a file of several pages it is the first picture. What is no picture at all passes as it is.

    Args:
        data: the file.
        name: how errors call it.

    Raises:
        InvalidRequestError: it is damaged, or a video.
        MissingExtraError: it is a picture that needs a package which is not installed.
    """
    kind = file_type(data)
    if kind is FileType.SENT:
        return data
    if kind is FileType.TWIN:
        raise InvalidRequestError(f"{name} is {kind.value}, and no photograph; leave it out")
    if kind is FileType.VIDEO:
        raise InvalidRequestError(f"{name} is a video; give its path by itself, not in a list of photographs")
    try:
        with _decoding(name):
            picture = _heic(data, name) if kind is FileType.HEIC else _opened(data)
    except UnidentifiedImageError:
        if kind is FileType.AVIF:
            raise MissingExtraError(
                f"{name} is an AVIF picture, which this Pillow does not read; run pip install -U 'Pillow>=11.3', or "
                "save it as JPEG"
            ) from None
        return data
    return image_as_png(picture, name)


def image_as_png(image: Image.Image, name: str) -> bytes:
    """Returns a Pillow image upright, in 8-bit RGB, as a PNG file; it looks as its own file would.

    Args:
        image: of any mode but floating point.
        name: how errors call it.

    Raises:
        InvalidRequestError: it holds floating-point numbers, whose range nobody knows, or its file is damaged.
    """
    if 0 in image.size:
        raise InvalidRequestError(f"{name} has no pixels: it is {image.width}x{image.height}; give a whole picture")
    if image.mode == "F":
        raise InvalidRequestError(f"{name} holds floating-point numbers; scale them to 8 bits, 0 to 255, first")
    with _decoding(name):
        image.load()
    return png(eight_bit_rgb(turned(image, orientation_of_image(image)), "white"))


def png(picture: Image.Image) -> bytes:
    """Returns a picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    # The lightest compression: the file lives for one request.
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata that is not used here
            yield
    except UnidentifiedImageError:
        raise
    except (*DAMAGE, Image.DecompressionBombError) as error:
        raise InvalidRequestError(f"{name} cannot be decoded ({error}); save it anew as JPEG or PNG") from None


def _opened(data: bytes) -> Image.Image:
    Image.init()
    return Image.open(io.BytesIO(data), formats=[kind for kind in CONVERTED if kind in Image.OPEN])


def _heic(data: bytes, name: str) -> Image.Image:
    """The picture, which libheif has turned already."""
    try:
        import pillow_heif
    except ImportError:
        raise missing_extra(f"{name} is a HEIC picture; mvsam-client[heic] reads it with pillow-heif", "heic") from None
    return pillow_heif.open_heif(data).to_pillow()
