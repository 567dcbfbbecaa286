"""What the user points at, as the tensors of the wire.

(x, y) are pixel indices of the upright photograph, pixel centres at whole numbers. Views and objects count from 0.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from mvsam_client.errors import InvalidRequestError
from mvsam_client.images import png, read_file

PADDING_LABEL = -1


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
        return f"Geometry(points of shape {list(np.shape(self.points))})"

    def tensors(self) -> dict[str, np.ndarray]:
        """Wire name → array."""
        points = np.asarray(self.points, np.float32)
        confidence = np.ones(points.shape[:-1]) if self.confidence is None else self.confidence
        tensors = {"points": points, "confidence": np.asarray(confidence, np.float32)}
        if self.valid is not None:
            tensors["VALID"] = np.asarray(self.valid, bool)
        return tensors

    def followed_by(self, more: "Geometry") -> "Geometry":
        """With the views of another behind these."""
        mine, theirs = self.tensors(), more.tensors()
        if "VALID" in mine or "VALID" in theirs:
            for tensors in (mine, theirs):
                tensors.setdefault("VALID", np.ones(tensors["confidence"].shape, bool))
        joined = {name: np.concatenate([array, theirs[name]]) for name, array in mine.items()}
        return Geometry(joined["points"], joined["confidence"], joined.get("VALID"))

    def of_views(self, views: Sequence[int]) -> "Geometry":
        """Of some views alone."""
        kept = {name: array[list(views)] for name, array in self.tensors().items()}
        return Geometry(kept["points"], kept["confidence"], kept.get("VALID"))


def prompt_tensors(
    points: Sequence[Click], boxes: Sequence[Box] = (), masks: Sequence[MaskPrompt] = ()
) -> dict[str, np.ndarray]:
    """Wire name → array: POINTS [O,P,2], POINT_LABELS and POINT_VIEWS [O,P], and those of boxes and masks, if any.

    P is the largest number of clicks of one object and at least 1; the label −1 fills the rest. Whether views and
    coordinates exist is the server's to say.

    Raises:
        InvalidRequestError: there is no prompt, objects do not count from 0 without a gap, or a mask cannot be encoded.
    """
    for prompt in (*points, *boxes, *masks):
        _check_numbers(prompt)
    objects = {prompt.object for prompt in (*points, *boxes, *masks)}
    if not objects:
        raise InvalidRequestError("prompts: there are none; give at least one click, box or mask")
    if objects != set(range(len(objects))):
        raise InvalidRequestError(
            f"prompts: the object numbers {sorted(objects)} leave a gap; count them from 0 to {len(objects) - 1}"
        )
    tensors = _point_tensors(points, len(objects))
    if boxes:
        tensors["BOXES"] = np.array([(box.x0, box.y0, box.x1, box.y1) for box in boxes], np.float32)
        tensors["BOX_OBJECTS"] = np.array([box.object for box in boxes], np.int32)
        tensors["BOX_VIEWS"] = np.array([box.view for box in boxes], np.int32)
    if masks:
        tensors["PROMPT_MASKS"] = np.array([_encode_mask(mask, i) for i, mask in enumerate(masks)], object)
        tensors["MASK_OBJECTS"] = np.array([mask.object for mask in masks], np.int32)
        tensors["MASK_VIEWS"] = np.array([mask.view for mask in masks], np.int32)
    return tensors


def _check_numbers(prompt: Click | Box | MaskPrompt) -> None:
    """Refuses what would become another view or coordinate on its way."""
    if not isinstance(prompt.view, int | np.integer) or not -(2**31) <= prompt.view < 2**31:
        raise InvalidRequestError(f"prompts: {prompt.view!r} is no view; views are whole numbers from 0")
    names = {Click: ("x", "y"), Box: ("x0", "y0", "x1", "y1")}.get(type(prompt), ())
    for name in names:
        value = getattr(prompt, name)
        if not isinstance(value, int | float | np.number):
            raise InvalidRequestError(f"prompts: {name} is {value!r}; give a number of pixels")


def _point_tensors(points: Sequence[Click], objects: int) -> dict[str, np.ndarray]:
    clicks: list[list[Click]] = [[] for _ in range(objects)]
    for click in points:
        clicks[click.object].append(click)
    slots = max(1, *map(len, clicks))
    coordinates = np.zeros((objects, slots, 2), np.float32)
    labels = np.full((objects, slots), PADDING_LABEL, np.int32)
    views = np.zeros((objects, slots), np.int32)
    for i, row in enumerate(clicks):
        for j, click in enumerate(row):
            coordinates[i, j] = click.x, click.y
            labels[i, j] = int(click.positive)
            views[i, j] = click.view
    return {"POINTS": coordinates, "POINT_LABELS": labels, "POINT_VIEWS": views}


def _encode_mask(prompt: MaskPrompt, index: int) -> bytes:
    name = f"mask {index}"
    if isinstance(prompt.mask, bytes):
        return prompt.mask
    if isinstance(prompt.mask, str | os.PathLike):
        return read_file(Path(prompt.mask), name)
    if prompt.mask.dtype != bool or prompt.mask.ndim != 2 or prompt.mask.size == 0:
        raise InvalidRequestError(
            f"{name}: the array is {prompt.mask.dtype} {list(prompt.mask.shape)}; give bool [h, w], e.g. `mask > 0`"
        )
    return png(Image.fromarray(np.where(prompt.mask, 255, 0).astype(np.uint8)))
