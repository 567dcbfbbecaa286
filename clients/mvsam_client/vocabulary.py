"""Prompts as people write them (lists of clicks, or SAM2's points and labels, box, mask) made one and checked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike

from mvsam_client.errors import InvalidRequestError
from mvsam_client.prompts import Box, Click, MaskPrompt, checked, prompt_tensors
from mvsam_client.values import view_number, whole_number


class Prompting(TypedDict, total=False):
    """What `segment` and `stream` take as prompts; at least one.

    Either lists, for any number of objects, or SAM2's vocabulary for one object in one view, or both together.

    Attributes:
        points: clicks; or pixels (x, y) of the upright photograph, [k, 2], which `labels` and `view` explain.
        labels: [k], 1 on the object and 0 on what is not; all 1 where left out.
        view: the photograph of the pixels, `box` and `mask`, counted from 0; 0 where left out.
        box: (x0, y0, x1, y1), a rectangle around the object.
        mask: a rough mask of the object, bool [h, w] or float logits [h, w], positive inside; of the photograph's size.
        object_id: of the object that the pixels, `box` and `mask` are about, 0 where left out; one of those in the
            lists, or another.
        boxes: rectangles around objects.
        masks: rough masks of objects.

    Objects have any whole numbers as ids. They come back in `Segmentation.object_ids`, the smallest first.
    """

    points: Sequence[Click] | ArrayLike
    labels: ArrayLike | None
    view: int
    box: ArrayLike | None
    mask: ArrayLike | None
    object_id: int
    boxes: Sequence[Box]
    masks: Sequence[MaskPrompt]


@dataclass(frozen=True, eq=False)
class Prompts:
    """All of a request; their `object` is the row that its masks come back in.

    Attributes:
        object_ids: of the rows, as the user calls them.
    """

    clicks: tuple[Click, ...] = ()
    boxes: tuple[Box, ...] = ()
    masks: tuple[MaskPrompt, ...] = ()
    object_ids: tuple[int, ...] = ()

    @property
    def all(self) -> tuple[Click | Box | MaskPrompt, ...]:
        """Every one."""
        return (*self.clicks, *self.boxes, *self.masks)

    def tensors(self) -> dict[str, np.ndarray]:
        """Wire name → array.

        Raises:
            InvalidRequestError: as for `prompt_tensors`.
        """
        return prompt_tensors(self.clicks, self.boxes, self.masks)


def gather(
    sizes: Callable[[], np.ndarray | None],
    *,
    points: Sequence[Click] | ArrayLike = (),
    labels: ArrayLike | None = None,
    view: int = 0,
    box: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    object_id: int = 0,
    boxes: Sequence[Box] = (),
    masks: Sequence[MaskPrompt] = (),
) -> Prompts:
    """The prompts of a request.

    Args:
        sizes: asked where prompts are given as arrays, to check them: see `check`. Those in lists are the server's to
            check.
        points, labels, view, box, mask, object_id, boxes, masks: as in `Prompting`.

    Raises:
        InvalidRequestError: an array has another form than it should, or as for `check`.
    """
    clicks, pixels = _split(points)
    view, object_id = view_number(view), whole_number(object_id, "object_id")
    arrays = Prompts(
        _clicks(pixels, labels, view, object_id),
        () if box is None else (_box(box, view, object_id),),
        () if mask is None else (MaskPrompt(view, binary_mask(mask), object_id),),
    )
    if arrays.all:
        check(arrays, sizes())
    every = Prompts(
        (*checked(clicks, Click, "points"), *arrays.clicks),
        (*checked(boxes, Box, "boxes"), *arrays.boxes),
        (*checked(masks, MaskPrompt, "masks"), *arrays.masks),
    )
    ids = tuple(sorted({prompt.object for prompt in every.all}))
    row = {each: place for place, each in enumerate(ids)}
    return Prompts(
        tuple(replace(click, object=row[click.object]) for click in every.clicks),
        tuple(replace(each, object=row[each.object]) for each in every.boxes),
        tuple(replace(each, object=row[each.object]) for each in every.masks),
        ids,
    )


def binary_mask(mask: ArrayLike) -> np.ndarray:
    """A mask as bool [h, w]; logits are positive inside, and a leading axis of length 1 is dropped.

    Raises:
        InvalidRequestError: it is neither bool nor float, not a picture, or empty.
    """
    array = as_array(mask, "mask")
    if array.ndim == 3 and len(array) == 1:
        array = array[0]
    if array.ndim != 2 or array.dtype.kind not in "bf" or array.size == 0:
        raise InvalidRequestError(
            f"mask: the array is {array.dtype} {list(array.shape)}; give bool [h, w], e.g. `mask > 0`, "
            f"or float logits [h, w]"
        )
    with np.errstate(invalid="ignore"):
        inside = array if array.dtype == bool else array > 0
    if not inside.any():
        raise InvalidRequestError("mask: no pixel is inside; mark some of the object, or leave the mask out")
    return inside


def check(prompts: Prompts, sizes: np.ndarray | None) -> None:
    """Prompts against the photographs that they are on.

    Args:
        prompts: those to look at.
        sizes: (h, w) of the upright photographs, [N, 2]; None where they are not known here, so that the server says
            what lies outside.

    Raises:
        InvalidRequestError: a view that does not exist, a coordinate that is no number or outside its photograph, an
            empty box, or a mask of another size.
    """
    for click in prompts.clicks:
        size = _size("a point", click.view, sizes)
        _check_point(click, size)
    for box in prompts.boxes:
        _check_box(box, _size("a box", box.view, sizes))
    for mask in prompts.masks:
        size = _size("a mask", mask.view, sizes)
        if size and isinstance(mask.mask, np.ndarray) and mask.mask.shape != size:
            height, width = mask.mask.shape
            raise InvalidRequestError(
                f"mask: it is {width}x{height}, view {mask.view} is {size[1]}x{size[0]}; give a mask of the upright "
                f"photograph's size"
            )


def _split(points: Any) -> tuple[Sequence[Click], np.ndarray | None]:
    """Clicks, or pixels [k, 2]."""
    if not isinstance(points, np.ndarray) and isinstance(points, Sequence):
        if all(isinstance(point, Click) for point in points):
            return points, None
        if any(isinstance(point, Click) for point in points):
            raise InvalidRequestError("points: clicks and pixels are mixed; give all as Click, or all as [x, y]")
    array = as_array(points, "points")
    if array.size == 0:
        return (), None
    if array.ndim == 3 and len(array) == 1:  # as SAM2's predictors take a batch of one
        array = array[0]
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iuf":
        raise InvalidRequestError(
            f"points: the array is {array.dtype} {list(array.shape)}; give pixels as [k, 2], e.g. [[x, y]]"
        )
    return (), array.astype(np.float64)


def _clicks(pixels: np.ndarray | None, labels: ArrayLike | None, view: int, object_id: int) -> tuple[Click, ...]:
    if pixels is None:
        if labels is not None and as_array(labels, "labels").size:
            raise InvalidRequestError(
                "labels: they explain points [[x, y], …], and there are none; a Click says by itself whether it is "
                "positive"
            )
        return ()
    known = np.ones(len(pixels), int) if labels is None else as_array(labels, "labels").reshape(-1)
    if len(known) != len(pixels):
        raise InvalidRequestError(f"labels: there are {len(known)} for {len(pixels)} points; give one a point")
    for label in known.tolist():
        if label not in (0, 1):
            raise InvalidRequestError(
                f"labels: {label!r} is none; give 1 on the object and 0 on what is not (a box goes into `box`)"
            )
    return tuple(
        Click(view, x, y, bool(label), object_id) for (x, y), label in zip(pixels.tolist(), known, strict=True)
    )


def _box(box: ArrayLike, view: int, object_id: int) -> Box:
    array = as_array(box, "box")
    if array.size != 4 or array.dtype.kind not in "iuf":
        raise InvalidRequestError(
            f"box: the array is {array.dtype} {list(array.shape)}; give one box (x0, y0, x1, y1), and further ones "
            f"through `boxes`"
        )
    return Box(view, *array.reshape(4).astype(np.float64).tolist(), object=object_id)


def as_array(values: Any, name: str) -> np.ndarray:
    """A user's list, array or tensor as an array; a PyTorch tensor may be on a GPU or need a gradient.

    Args:
        values: what was given.
        name: how errors call it.

    Raises:
        InvalidRequestError: it is no array.
    """
    try:
        if hasattr(values, "detach") and hasattr(values, "cpu"):
            values = values.detach().cpu()
            # NumPy has no bfloat16, which SAM2's own examples compute in.
            values = values.float() if values.is_floating_point() else values
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # lists of unequal lengths
        raise InvalidRequestError(f"{name}: this is no array ({error}); give a list or a NumPy array") from None


def _size(what: str, view: int, sizes: np.ndarray | None) -> tuple[int, int] | None:
    if sizes is None:
        if view < 0:
            raise InvalidRequestError(f"view: {what} names view {view}; views count from 0")
        return None
    if not 0 <= view < len(sizes):
        raise InvalidRequestError(
            f"view: {what} names view {view}, and there are {len(sizes)}; views count from 0 to {len(sizes) - 1}"
        )
    height, width = sizes[view]
    return int(height), int(width)


def _check_point(click: Click, size: tuple[int, int] | None) -> None:
    if not np.isfinite((click.x, click.y)).all():
        raise InvalidRequestError(f"points: ({click.x}, {click.y}) is nowhere; give finite pixel coordinates")
    if size is None:
        return
    height, width = size
    if not (-0.5 <= click.x < width - 0.5 and -0.5 <= click.y < height - 0.5):
        raise InvalidRequestError(
            f"points: ({click.x:g}, {click.y:g}) lies outside view {click.view} ({width}x{height}); give x in "
            f"[0, {width - 1}] and y in [0, {height - 1}]"
        )


def _check_box(box: Box, size: tuple[int, int] | None) -> None:
    corners = (box.x0, box.y0, box.x1, box.y1)
    text = "({:g}, {:g}, {:g}, {:g})".format(*corners)
    if not np.isfinite(corners).all():
        raise InvalidRequestError(f"box: {text} is nowhere; give finite pixel coordinates")
    if not (box.x0 < box.x1 and box.y0 < box.y1):
        raise InvalidRequestError(f"box: {text} is empty; give (x0, y0, x1, y1) with x0 < x1 and y0 < y1")
    if size is None:
        return
    height, width = size
    if box.x0 < -0.5 or box.y0 < -0.5 or box.x1 > width or box.y1 > height:  # an end may count as exclusive
        raise InvalidRequestError(
            f"box: {text} reaches outside view {box.view} ({width}x{height}); give x in [0, {width - 1}] and y in "
            f"[0, {height - 1}]"
        )
