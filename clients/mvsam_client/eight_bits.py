"""Decoded pictures of any kind to 8-bit RGB: one rule, in the same file in the server's pipeline and in the client."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

_STRAIGHT = {"La": "LA", "RGBa": "RGBA"}  # of premultiplied modes


def eight_bit_rgb(image: Image.Image, background: str) -> Image.Image:
    """Returns the picture as viewers show it, 8-bit RGB.

    Of 16-bit grey the upper 8 bits are kept; what is transparent shows the background.

    Args:
        image: of any mode but floating point.
        background: a colour's name.
    """
    if image.mode.startswith("I"):  # which Pillow would clip at 255
        return _of_sixteen_bits(image, background)
    if not image.has_transparency_data:
        return image.convert("RGB")
    if image.mode in _STRAIGHT:
        image = image.convert(_STRAIGHT[image.mode])
    colour = image.info.get("transparency")
    if isinstance(colour, tuple) and max(colour) > 255:  # of 16 bits, while Pillow keeps the upper 8 of the pixels
        image = image.copy()
        image.info["transparency"] = tuple(value >> 8 for value in colour)
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, background), layer).convert("RGB")


def _of_sixteen_bits(image: Image.Image, background: str) -> Image.Image:
    values = np.clip(np.asarray(image), 0, 2**16 - 1)
    rgb = Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
    transparent: Any = image.info.get("transparency")
    if isinstance(transparent, int):
        rgb.paste(Image.new("RGB", rgb.size, background), mask=Image.fromarray(values == transparent))
    return rgb
