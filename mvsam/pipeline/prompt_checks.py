"""Checks of prompts against the sizes of the photographs that they are on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.headers import Format, read_header
from mvsam.pipeline.request import NEGATIVE, PADDING, POSITIVE, Prompts


def check_prompts(prompts: Prompts, image_sizes: Sequence[tuple[int, int]]) -> None:
    """The prompts against the photographs' sizes (height, width).

    Raises:
        RequestError: no object, an unknown label, view or object, a coordinate that is outside the picture or no
            number, a mask that does not fit its photograph, or an object without a positive prompt.
    """
    if prompts.objects == 0:
        raise RequestError("POINTS holds no object, so there are no prompts; give a positive click, a box or a mask")
    sizes = np.array(image_sizes, np.int64).reshape(-1, 2)
    check_clicks(prompts, sizes)
    _check_boxes(prompts, sizes)
    _check_masks(prompts, sizes)
    _check_positive_cues(prompts)


def check_clicks(prompts: Prompts, sizes: np.ndarray) -> None:
    """The clicks against the photographs' sizes, int [N, 2] (h, w).

    Raises:
        RequestError: an unknown label or view, or a coordinate that is outside the picture or no number.
    """
    labels = prompts.point_labels
    unknown = ~np.isin(labels, (POSITIVE, NEGATIVE, PADDING))
    if unknown.any():
        index, click = first_of(unknown)
        raise RequestError(
            f"POINT_LABELS: object {index}, click {click} has label {labels[index, click]}; "
            "give 1 (positive), 0 (negative) or -1 (padding)"
        )
    used = labels != PADDING
    beyond = used & ((prompts.point_views < 0) | (prompts.point_views >= len(sizes)))
    if beyond.any():
        index, click = first_of(beyond)
        raise RequestError(
            f"POINT_VIEWS: object {index}, click {click} names view {prompts.point_views[index, click]} "
            f"of {len(sizes)}; give 0 to {len(sizes) - 1}"
        )
    unreal = used & ~np.isfinite(prompts.points).all(axis=2)
    if unreal.any():
        index, click = first_of(unreal)
        raise RequestError(f"{click_at(prompts, index, click)} is not finite; give finite pixel coordinates")
    height, width = np.moveaxis(sizes[np.where(used, prompts.point_views, 0)], -1, 0)
    x, y = np.moveaxis(prompts.points, -1, 0)
    with np.errstate(invalid="ignore"):  # padding may hold NaN
        outside = used & ~((x >= -0.5) & (y >= -0.5) & (x < width - 0.5) & (y < height - 0.5))
    if outside.any():
        index, click = first_of(outside)
        view = prompts.point_views[index, click]
        rows, columns = sizes[view]
        raise RequestError(
            f"{click_at(prompts, index, click)} lies outside view {view} ({columns}x{rows}); "
            f"give x in [0, {columns - 1}] and y in [0, {rows - 1}]"
        )


def _check_boxes(prompts: Prompts, sizes: np.ndarray) -> None:
    _check_indices("BOX", "box", prompts.box_objects, prompts.box_views, prompts.objects, len(sizes))
    for index, (box, view) in enumerate(zip(prompts.boxes, prompts.box_views, strict=True)):
        height, width = sizes[view]
        x0, y0, x1, y1 = box
        if not np.isfinite(box).all():
            raise RequestError(f"BOXES: box {index} is {_at(box)}; give finite pixel coordinates")
        if not (x0 < x1 and y0 < y1):
            raise RequestError(f"BOXES: box {index} is {_at(box)}; give (x0, y0, x1, y1) with x0 < x1 and y0 < y1")
        if x0 < -0.5 or y0 < -0.5 or x1 > width or y1 > height:  # an end may count as exclusive
            raise RequestError(
                f"BOXES: box {index} {_at(box)} reaches outside view {view} ({width}x{height}); "
                f"give x in [0, {width - 1}] and y in [0, {height - 1}]"
            )


def _check_masks(prompts: Prompts, sizes: np.ndarray) -> None:
    _check_indices("MASK", "mask", prompts.mask_objects, prompts.mask_views, prompts.objects, len(sizes))
    seen: dict[tuple[int, int], int] = {}
    for index, data in enumerate(prompts.masks):
        view, name = int(prompts.mask_views[index]), f"PROMPT_MASKS: mask {index}"
        header = read_header(data, name)
        if header.format is not Format.PNG:
            raise RequestError(f"{name} is a {header.format.value}; send PNG, which keeps its edges")
        height, width = sizes[view]
        if header.size != (height, width):
            raise RequestError(
                f"{name} is {header.size[1]}x{header.size[0]}, its photograph, view {view}, {width}x{height}; "
                "send a mask of the upright photograph's size"
            )
        twin = seen.setdefault((int(prompts.mask_objects[index]), view), index)
        if twin != index:
            raise RequestError(
                f"{name} and mask {twin} are for the same object {prompts.mask_objects[index]} and view {view}; "
                "merge them into one"
            )


def _check_indices(prefix: str, what: str, objects: np.ndarray, views: np.ndarray, most: int, most_views: int) -> None:
    for name, values, count, kind in (
        (f"{prefix}_OBJECTS", objects, most, "object"),
        (f"{prefix}_VIEWS", views, most_views, "view"),
    ):
        beyond = (values < 0) | (values >= count)
        if beyond.any():
            index = int(beyond.argmax())
            raise RequestError(f"{name}: {what} {index} names {kind} {values[index]} of {count}; give 0 to {count - 1}")


def _check_positive_cues(prompts: Prompts) -> None:
    helped = np.zeros(prompts.objects, bool)
    helped[prompts.box_objects] = True
    helped[prompts.mask_objects] = True
    helped |= (prompts.point_labels == POSITIVE).any(axis=1)
    if helped.all():
        return
    index = int((~helped).argmax())
    if (prompts.point_labels[index] == NEGATIVE).any():
        raise RequestError(
            f"POINT_LABELS: object {index} has only negative clicks; add a positive one, a box or a mask"
        )
    raise RequestError(f"POINTS: object {index} has no prompts; give it a positive click, a box or a mask")


def first_of(wrong: np.ndarray) -> tuple[int, int]:
    """Returns object and click of the first that is wrong, of bool [O, P]."""
    index, click = np.unravel_index(int(wrong.argmax()), wrong.shape)
    return int(index), int(click)


def click_at(prompts: Prompts, index: int, click: int) -> str:
    """Returns how a message names a click."""
    return f"POINTS: object {index}, click {click} at {_at(prompts.points[index, click])}"


def _at(coordinates: np.ndarray) -> str:
    return "(" + ", ".join(str(value) for value in coordinates) + ")"
