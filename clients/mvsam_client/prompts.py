"""What the user points at, as the tensors of the wire.

(x, y) are pixel indices of the upright photograph, pixel centres at whole numbers. Views and objects count from 0.
"""

import os
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from mvsam_client.errors import InvalidRequestError
from mvsam_client.images import png, read_file
from mvsam_client.values import coordinate, elements, instance, numbers, sequence_of, view_number, whole_number

PADDING_LABEL = -1
GEOMETRY_REMEDY = "give Geometry(points, confidence), or None where the server is to estimate it"


@dataclass(frozen=True)
class Click:
    """A point on the object, or with `positive=False` a point on what is not the object."""

    view: int
    x: float
    y: float
    positive: bool = True
    object: int = 0


@dataclass(frozen=True)
class Box:
    """A rectangle around the object, from its upper left pixel to its lower right one."""

    view: int
    x0: float
    y0: float
    x1: float
    y1: float
    object: int = 0


@dataclass(frozen=True, eq=False)
class MaskPrompt:
    """A rough mask of the object on one view.

    Attributes:
        mask: bool [h, w] at the size of the upright photograph, or a PNG file (path or bytes) whose non-zero pixels are
            the object.
    """

    view: int
    mask: np.ndarray | bytes | str | os.PathLike[str] = field(repr=False)
    object: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class Geometry:
    """The user's own pointmaps (RGB-D, COLMAP, exact), used instead of the server's estimate.

    Attributes:
        points: [N, H, W, 3], each pixel's 3-D point in one frame for all views; H×W covers each whole photograph.
        confidence: [N, H, W], larger is surer; None where every point is equally sure.
        valid: bool [N, H, W], False where there is no measurement; None where all are.
    """

    points: np.ndarray
    confidence: np.ndarray | None = None
    valid: np.ndarray | None = None

    def __repr__(self) -> str:
        shape = self.points.shape if isinstance(self.points, np.ndarray) else ()
        return f"Geometry(points of shape {list(shape)})"

    def tensors(self) -> dict[str, np.ndarray]:
        """Wire name → array.

        Raises:
            InvalidRequestError: they are no arrays of numbers, or do not fit together.
        """
        points = numbers(self.points, np.float32, "geometry: points")
        if points.ndim != 4 or points.shape[3] != 3:
            raise InvalidRequestError(f"geometry: points are {list(points.shape)}; give them as [N, H, W, 3]")
        confidence = np.ones(points.shape[:-1]) if self.confidence is None else self.confidence
        tensors = {"points": points, "confidence": numbers(confidence, np.float32, "geometry: confidence")}
        if self.valid is not None:
            tensors["VALID"] = numbers(self.valid, bool, "geometry: valid")
        for name, array in tensors.items():
            if array.shape[:3] != points.shape[:3] or array.ndim != (4 if name == "points" else 3):
                raise InvalidRequestError(
                    f"geometry: {name.lower()} is {list(array.shape)} beside points {list(points.shape)}; give "
                    f"{list(points.shape[:3])}"
                )
        return tensors

    def followed_by(self, more: "Geometry") -> "Geometry":
        """With the views of another behind these."""
        mine, theirs = self.tensors(), instance(more, Geometry, "geometry", GEOMETRY_REMEDY).tensors()
        if "VALID" in mine or "VALID" in theirs:
            for tensors in (mine, theirs):
                tensors.setdefault("VALID", np.ones(tensors["confidence"].shape, bool))
        joined = {name: np.concatenate([array, theirs[name]]) for name, array in mine.items()}
        return Geometry(joined["points"], joined["confidence"], joined.get("VALID"))

    def of_views(self, views: Sequence[int]) -> "Geometry":
        """Of some views alone."""
        chosen = [view_number(view) for view in elements(views, "views", "give a list of views")]
        tensors = self.tensors()
        if not all(0 <= view < len(tensors["points"]) for view in chosen):
            raise InvalidRequestError(f"views: {reprlib.repr(views)} are not all among {len(tensors['points'])}")
        kept = {name: array[chosen] for name, array in tensors.items()}
        return Geometry(kept["points"], kept["confidence"], kept.get("VALID"))


Kind = TypeVar("Kind", Click, Box, MaskPrompt)


def prompt_tensors(
    points: Sequence[Click], boxes: Sequence[Box] = (), masks: Sequence[MaskPrompt] = ()
) -> dict[str, np.ndarray]:
    """Wire name → array: POINTS [O,P,2], POINT_LABELS and POINT_VIEWS [O,P], and those of boxes and masks, if any.

    P is the largest number of clicks of one object and at least 1; the label −1 fills the rest. Whether views and
    coordinates exist is the server's to say.

    Raises:
        InvalidRequestError: there is no prompt, objects do not count from 0 without a gap, or a mask cannot be encoded.
    """
    points = checked(points, Click, "points")
    boxes, masks = checked(boxes, Box, "boxes"), checked(masks, MaskPrompt, "masks")
    objects = {prompt.object for prompt in (*points, *boxes, *masks)}
    if not objects:
        raise InvalidRequestError("prompts: there are none; give at least one click, box or mask")
    if objects != set(range(len(objects))):
        raise InvalidRequestError(
            f"prompts: the object numbers {sorted(objects)} leave a gap; count them from 0 to {len(objects) - 1}"
        )
    tensors = _point_tensors(points, len(objects))
    if boxes:
        tensors["BOXES"] = numbers([(box.x0, box.y0, box.x1, box.y1) for box in boxes], np.float32, "boxes")
        tensors["BOX_OBJECTS"] = np.array([box.object for box in boxes], np.int32)
        tensors["BOX_VIEWS"] = np.array([box.view for box in boxes], np.int32)
    if masks:
        tensors["PROMPT_MASKS"] = np.array([_encode_mask(mask, i) for i, mask in enumerate(masks)], object)
        tensors["MASK_OBJECTS"] = np.array([mask.object for mask in masks], np.int32)
        tensors["MASK_VIEWS"] = np.array([mask.view for mask in masks], np.int32)
    return tensors


def checked(prompts: object, kind: type[Kind], name: str) -> tuple[Kind, ...]:
    """Returns the prompts of a list with their numbers as Python's own.

    Args:
        prompts: what was given.
        kind: Click, Box or MaskPrompt.
        name: how errors call the list.

    Raises:
        InvalidRequestError: it is no list of these, or a field holds what it cannot be; whether views and coordinates
            exist is not looked at.
    """
    return tuple(_plain(prompt, name) for prompt in sequence_of(prompts, kind, name))


def _plain(prompt: Kind, name: str) -> Kind:
    fields: dict[str, Any] = {
        "view": view_number(prompt.view, f"{name}: view"),
        "object": whole_number(prompt.object, f"{name}: object"),
    }
    if isinstance(prompt, Click):
        if not isinstance(prompt.positive, bool | np.bool_ | int | np.integer) or prompt.positive not in (0, 1):
            raise InvalidRequestError(f"{name}: positive is {reprlib.repr(prompt.positive)}; give True or False")
        fields["positive"] = bool(prompt.positive)
    for corner in {Click: ("x", "y"), Box: ("x0", "y0", "x1", "y1")}.get(type(prompt), ()):
        fields[corner] = coordinate(getattr(prompt, corner), f"{name}: {corner}")
    return replace(prompt, **fields)


def _point_tensors(points: Sequence[Click], objects: int) -> dict[str, np.ndarray]:
    clicks: list[list[Click]] = [[] for _ in range(objects)]
    for click in points:
        clicks[click.object].append(click)
    slots = max(1, *map(len, clicks))
    coordinates = np.zeros((objects, slots, 2), np.float64)
    labels = np.full((objects, slots), PADDING_LABEL, np.int32)
    views = np.zeros((objects, slots), np.int32)
    for i, row in enumerate(clicks):
        for j, click in enumerate(row):
            coordinates[i, j] = click.x, click.y
            labels[i, j] = int(click.positive)
            views[i, j] = click.view
    return {"POINTS": numbers(coordinates, np.float32, "points"), "POINT_LABELS": labels, "POINT_VIEWS": views}


def _encode_mask(prompt: MaskPrompt, index: int) -> bytes:
    name = f"mask {index}"
    if isinstance(prompt.mask, bytes):
        return prompt.mask
    if isinstance(prompt.mask, str | os.PathLike):
        return read_file(Path(prompt.mask), name)
    if not isinstance(prompt.mask, np.ndarray):
        raise InvalidRequestError(
            f"{name}: an object of type {type(prompt.mask).__name__} is no mask; give an array bool [h, w], or a PNG "
            f"file"
        )
    if prompt.mask.dtype != bool or prompt.mask.ndim != 2 or prompt.mask.size == 0:
        raise InvalidRequestError(
            f"{name}: the array is {prompt.mask.dtype} {list(prompt.mask.shape)}; give bool [h, w], e.g. `mask > 0`"
        )
    return png(Image.fromarray(np.where(prompt.mask, 255, 0).astype(np.uint8)))
