"""How large a request may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields


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
    max_geometry_pixels: int = 1_000_000

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> Limits:
        """Reads the limits among a model's parameters; those not given keep their default.

        Raises:
            ValueError: a limit is not a positive whole number.
        """
        given = {field.name: parameters[field.name] for field in fields(cls) if field.name in parameters}
        for name, value in given.items():
            if not value.strip().isdecimal() or int(value) == 0:
                raise ValueError(f"parameter {name} is {value!r}; give a positive whole number")
        return cls(**{name: int(value) for name, value in given.items()})
