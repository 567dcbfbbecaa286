"""Encoded pictures to upright arrays."""

from __future__ import annotations

import struct
import warnings
import zlib
from io import BytesIO

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from mvsam.pipeline.eight_bits import eight_bit_rgb
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.headers import Format, read_header
from mvsam.pipeline.orientation import turned

# Pillow's Image.open would apply a pixel limit of its own; ours has been checked from the header by then.
_DECODERS: dict[Format, type[ImageFile.ImageFile]] = {
    Format.JPEG: JpegImagePlugin.JpegImageFile,
    Format.PNG: PngImagePlugin.PngImageFile,
    Format.WEBP: WebPImagePlugin.WebPImageFile,
}
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)


def decode_photograph(data: bytes, name: str) -> np.ndarray:
    """Decodes a photograph to upright RGB, uint8 [h, w, 3].

    Grey, palette, 16-bit and CMYK pictures become 8-bit RGB; transparent ones are laid over white, as viewers do.

    Args:
        data: JPEG, PNG or WebP, within the limits (see `request.check_request`).
        name: what to call it in an error, such as ``IMAGES: view 2``.

    Raises:
        RequestError: the data is truncated or damaged.
    """
    return np.asarray(eight_bit_rgb(_decode(data, name), "white"))


def decode_mask(data: bytes, name: str) -> np.ndarray:
    """Decodes a mask prompt, bool [h, w]: inside wherever the picture is neither black nor transparent.

    Raises:
        RequestError: the data is truncated or damaged, or no pixel of the mask is set.
    """
    image = _decode(data, name)
    is_plain = image.mode in ("1", "L") and not image.has_transparency_data
    if is_plain or image.mode.startswith("I"):  # of 16 bits all count, not only the upper ones
        mask = np.asarray(image).astype(bool)
    else:
        mask = np.asarray(eight_bit_rgb(image, "black")).any(axis=2)
    if not mask.any():
        raise RequestError(f"{name} is empty: no pixel is set; paint the object in any colour but black")
    return mask


def _decode(data: bytes, name: str) -> Image.Image:
    header = read_header(data, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata that is not used here
            image = _DECODERS[header.format](BytesIO(data))
            image.load()
    except _DAMAGE:
        raise RequestError(f"{name} is a truncated or damaged {header.format.value}; send the whole file") from None
    upright = turned(image, header.orientation)
    if (upright.height, upright.width) != header.size:  # every check so far trusted the header
        raise RequestError(f"{name} is a {header.format.value} that contradicts its own header; save it again")
    return upright
