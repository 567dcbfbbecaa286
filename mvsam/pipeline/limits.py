"""How large a request may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Limits:
    """The most that one request may hold; every limit is checked before anything is decoded.

    Attributes:
        max_views: photographs in a request.
        max_image_pixels: pixels of one photograph.
        max_image_bytes: bytes of one encoded photograph or mask.
        max_request_bytes: bytes of all encoded photographs and masks together.
        max_objects: objects that are prompted for.
        max_points: clicks per object, padding included.
        max_boxes: boxes, over all objects.
        max_masks: mask prompts, over all objects.
        max_mask_pixels: pixels of all mask prompts together.
        max_raw_bytes: bytes of an answer's masks that are not compressed, of its logits or of its pointmaps.
        max_prompt_points: points of one object: clicks, padding included, and what its boxes and masks become.
        max_aspect: longer side over shorter, of the scene's middle photograph, where π³ makes the geometry.
        max_geometry_pixels: pixels of one view's pointmap, where the user brings the geometry.
    """

    max_views: int = 100
    max_image_pixels: int = 50_000_000
    max_image_bytes: int = 64 * 2**20
    max_request_bytes: int = 2**30
    max_objects: int = 64
    max_points: int = 256
    max_boxes: int = 64
    max_masks: int = 64
    max_mask_pixels: int = 200_000_000
    max_raw_bytes: int = 48 * 2**20
    max_prompt_points: int = 2048
    max_aspect: float = 10_000.0
    max_geometry_pixels: int = 1_000_000

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> Limits:
        """Reads the limits among a model's parameters; those not given keep their default.

        Raises:
            ValueError: a limit is not a positive number, or not a whole one where it must be.
        """
        given = {field.name: parameters[field.name] for field in fields(cls) if field.name in parameters}
        return cls(**{name: _limit(name, text, type(getattr(cls, name))) for name, text in given.items()})


def _limit(name: str, text: str, kind: type) -> Any:
    number = re.fullmatch(r"\d+" if kind is int else r"\d+(\.\d+)?", text.strip(), re.ASCII)
    if not number or float(text) == 0:
        raise ValueError(f"parameter {name} is {text!r}; give a positive {'whole ' if kind is int else ''}number")
    return kind(text)
