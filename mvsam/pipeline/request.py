"""What a request holds besides its photographs: prompts, and the user's own geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvsam.pipeline.errors import RequestError

POSITIVE, NEGATIVE, PADDING = 1, 0, -1


@dataclass(frozen=True)
class Prompts:
    """Prompts for O objects on N views; consistent in shape once built, not yet checked against the photographs.

    Attributes:
        points: float32 [O, P, 2], (x, y) in pixels of the EXIF-upright photograph.
        point_labels: int32 [O, P]: 1 positive, 0 negative, -1 padding.
        point_views: int32 [O, P].
        boxes: float32 [B, 4], (x0, y0, x1, y1) in the same pixels.
        box_objects: int32 [B].
        box_views: int32 [B].
        masks: M PNG files, each as large as its photograph.
        mask_objects: int32 [M].
        mask_views: int32 [M].

    Raises:
        RequestError: shapes that contradict each other.
    """

    points: np.ndarray
    point_labels: np.ndarray
    point_views: np.ndarray
    boxes: np.ndarray
    box_objects: np.ndarray
    box_views: np.ndarray
    masks: list[bytes]
    mask_objects: np.ndarray
    mask_views: np.ndarray

    def __post_init__(self) -> None:
        if self.points.ndim != 3 or self.points.shape[2] != 2:
            raise RequestError(f"POINTS has shape {list(self.points.shape)}; give [objects, points, 2]")
        clicks, boxes = list(self.points.shape[:2]), len(self.boxes)
        if self.boxes.shape != (boxes, 4):
            raise RequestError(f"BOXES has shape {list(self.boxes.shape)}; give [boxes, 4]")
        for name, array, shape, like in (
            ("POINT_LABELS", self.point_labels, clicks, "POINTS"),
            ("POINT_VIEWS", self.point_views, clicks, "POINTS"),
            ("BOX_OBJECTS", self.box_objects, [boxes], "BOXES"),
            ("BOX_VIEWS", self.box_views, [boxes], "BOXES"),
            ("MASK_OBJECTS", self.mask_objects, [len(self.masks)], "PROMPT_MASKS"),
            ("MASK_VIEWS", self.mask_views, [len(self.masks)], "PROMPT_MASKS"),
        ):
            if list(array.shape) != shape:
                raise RequestError(f"{name} has shape {list(array.shape)}; give {shape}, as {like} has it")

    @classmethod
    def of(
        cls,
        points: Any,
        point_labels: Any,
        point_views: Any,
        boxes: Any = None,
        box_objects: Any = None,
        box_views: Any = None,
        masks: Sequence[bytes] | np.ndarray | None = None,
        mask_objects: Any = None,
        mask_views: Any = None,
    ) -> Prompts:
        """Prompts from anything array-like; what is None is empty.

        Raises:
            RequestError: a type that would lose information, or shapes that contradict each other.
        """
        return cls(
            points=_array("POINTS", points, np.float32),
            point_labels=_array("POINT_LABELS", point_labels, np.int32),
            point_views=_array("POINT_VIEWS", point_views, np.int32),
            boxes=np.zeros((0, 4), np.float32) if boxes is None else _array("BOXES", boxes, np.float32),
            box_objects=_indices("BOX_OBJECTS", box_objects),
            box_views=_indices("BOX_VIEWS", box_views),
            masks=[] if masks is None else list(masks),
            mask_objects=_indices("MASK_OBJECTS", mask_objects),
            mask_views=_indices("MASK_VIEWS", mask_views),
        )

    @classmethod
    def none(cls, objects: int = 0) -> Prompts:
        """No prompts for any of so many objects."""
        labels = np.zeros((objects, 0), np.int32)
        return cls.of(np.zeros((objects, 0, 2), np.float32), labels, labels)

    def in_views(self, views: slice, objects: slice = slice(None)) -> Prompts:
        """The clicks on some objects in some views, which count from 0 there; no boxes, no masks."""
        numbers = self.point_views[objects]
        inside = (numbers >= views.start) & (numbers < views.stop)
        labels = np.where(inside, self.point_labels[objects], np.int32(PADDING))
        return Prompts.of(self.points[objects], labels, np.where(inside, numbers - np.int32(views.start), np.int32(0)))

    @property
    def objects(self) -> int:
        """O, the number of objects."""
        return self.points.shape[0]

    @property
    def views(self) -> np.ndarray:
        """int32: the view of every prompt that counts, in no particular order."""
        return np.concatenate([self.point_views[self.point_labels != PADDING], self.box_views, self.mask_views])


@dataclass(frozen=True)
class Geometry:
    """Pointmaps of N views in one common frame of any scale.

    Attributes:
        points: float32 [N, H, W, 3].
        confidence: float32 [N, H, W].
        valid: bool [N, H, W]; what points and confidence hold elsewhere is ignored.

    Raises:
        RequestError: shapes that contradict each other.
    """

    points: np.ndarray
    confidence: np.ndarray
    valid: np.ndarray

    def __post_init__(self) -> None:
        shape = list(self.points.shape)
        if len(shape) != 4 or shape[3] != 3 or 0 in shape:
            raise RequestError(f"points has shape {shape}; give [views, height, width, 3]")
        for name, array in (("confidence", self.confidence), ("VALID", self.valid)):
            if list(array.shape) != shape[:3]:
                raise RequestError(f"{name} has shape {list(array.shape)}; give {shape[:3]}, as points has it")

    @classmethod
    def of(cls, points: Any, confidence: Any, valid: Any = None) -> Geometry:
        """Geometry from anything array-like; without `valid` every pixel is.

        Raises:
            RequestError: a type that would lose information, or shapes that contradict each other.
        """
        points = _array("points", points, np.float32)
        everywhere = np.ones(points.shape[:3], bool)
        return cls(
            points=points,
            confidence=_array("confidence", confidence, np.float32),
            valid=everywhere if valid is None else _array("VALID", valid, np.bool_),
        )

    def of_views(self, views: Sequence[int]) -> Geometry:
        """That of some views."""
        chosen = list(views)
        return Geometry(self.points[chosen], self.confidence[chosen], self.valid[chosen])

    def followed_by(self, more: Geometry) -> Geometry:
        """That of these views and then others.

        Raises:
            RequestError: the others' pointmaps have another size.
        """
        if self.valid.shape[1:] != more.valid.shape[1:]:
            (height, width), (h, w) = self.valid.shape[1:], more.valid.shape[1:]
            raise RequestError(f"points has {h}x{w} pixels a view, the scene {height}x{width}; give the same")
        pairs = zip(vars(self).values(), vars(more).values(), strict=True)
        return Geometry(*(np.concatenate(pair) for pair in pairs))


def _indices(name: str, values: Any) -> np.ndarray:
    return np.zeros(0, np.int32) if values is None else _array(name, values, np.int32)


def _array(name: str, values: Any, dtype: type[np.generic]) -> np.ndarray:
    """The values as an array of that type, where the conversion is harmless (an empty array has any type)."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise RequestError(f"{name} is ragged; give rows of equal length, padded with label -1") from None
    if array.size and not np.can_cast(array.dtype, dtype, "same_kind"):
        raise RequestError(f"{name} is {array.dtype}; give {np.dtype(dtype).name}")
    return array.astype(dtype, copy=False)
