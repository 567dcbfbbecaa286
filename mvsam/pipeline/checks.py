"""Every check of a request, before anything is decoded or computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.frames import Frame, click_pixels, scene_aspect
from mvsam.pipeline.headers import Format, Header, check_complete, read_header
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.prompts import BOX_POINTS, MASK_POINTS
from mvsam.pipeline.regions import box_extent, mask_share
from mvsam.pipeline.request import NEGATIVE, PADDING, POSITIVE, Geometry, Prompts


def check_request(
    images: Sequence[bytes], prompts: Prompts | None, limits: Limits, geometry: Geometry | None = None
) -> list[Header]:
    """Checks a whole request: what is large is looked at last, what is too large not at all.

    Args:
        images: N encoded photographs.
        prompts: on them; None where they come later.
        limits: of the request.
        geometry: the user's own, if any.

    Returns:
        The photographs' headers.

    Raises:
        RequestError: whatever is wrong first; after this only what pictures show when decoded can still surprise:
            damage, and masks that are empty or cover no geometry.
    """
    if prompts is None:
        prompts = Prompts.none()
    elif prompts.objects == 0:
        raise RequestError("POINTS holds no object, so there are no prompts; give a positive click, a box or a mask")
    check_limits(images, prompts, limits)
    headers = [_photograph_header(data, view, limits) for view, data in enumerate(images)]
    sizes = [header.size for header in headers]
    check_prompts(prompts, sizes)
    for name, files in (("IMAGES: view", images), ("PROMPT_MASKS: mask", prompts.masks)):
        for index, data in enumerate(files):
            check_complete(data, f"{name} {index}")
    if geometry is None:
        _check_aspect(scene_aspect(sizes), limits)
    else:
        _, height, width, _ = geometry.points.shape
        if height * width > limits.max_geometry_pixels:
            raise RequestError(
                f"points has {height}x{width} pixels a view, more than the {limits.max_geometry_pixels} allowed; "
                "send smaller pointmaps"
            )
        check_geometry(geometry, len(images))
        whole = (0.0, 0.0, float(width), float(height))
        frames = [Frame(size, whole) for size in sizes]
        check_clicks_are_valid(prompts, geometry.valid, frames)
        check_boxes_are_valid(prompts, geometry.valid, frames)
    return headers


def check_limits(images: Sequence[bytes], prompts: Prompts, limits: Limits) -> None:
    """Counts and bytes of a whole request.

    Raises:
        RequestError: no photograph, or more than the limits allow.
    """
    if len(images) == 0:
        raise RequestError("IMAGES is empty; send at least one photograph")
    if len(images) > limits.max_views:
        raise RequestError(
            f"IMAGES: {len(images)} photographs, more than the {limits.max_views} allowed; send fewer views"
        )
    check_prompt_limits(prompts, limits)
    total = _check_files(images, "IMAGES: view", limits) + sum(map(len, prompts.masks))
    if total > limits.max_request_bytes:
        raise RequestError(
            f"IMAGES and PROMPT_MASKS have {total} bytes together, more than the {limits.max_request_bytes} allowed; "
            "compress them, or send fewer"
        )


def check_prompt_limits(prompts: Prompts, limits: Limits) -> None:
    """Counts and bytes of the prompts.

    Raises:
        RequestError: more than the limits allow.
    """
    for count, most, what, remedy in (
        (prompts.objects, limits.max_objects, "POINTS: {} objects", "send fewer objects a request"),
        (prompts.points.shape[1], limits.max_points, "POINTS: {} clicks an object", "send fewer clicks"),
        (len(prompts.boxes), limits.max_boxes, "BOXES: {} boxes", "send fewer boxes"),
        (len(prompts.masks), limits.max_masks, "PROMPT_MASKS: {} masks", "send fewer masks"),
    ):
        if count > most:
            raise RequestError(f"{what.format(count)}, more than the {most} allowed; {remedy}")
    points = prompts.points.shape[1] + max(_derived_points(prompts).values(), default=0)
    if points > limits.max_prompt_points:
        raise RequestError(
            f"POINTS: {points} points an object, {BOX_POINTS} for each box and {MASK_POINTS} "
            f"for each mask, more than the {limits.max_prompt_points} allowed; send fewer prompts"
        )
    _check_files(prompts.masks, "PROMPT_MASKS: mask", limits)


def _derived_points(prompts: Prompts) -> Counter[int]:
    """The most points that the boxes and masks of each object become."""
    found: Counter[int] = Counter()
    for objects, points in ((prompts.box_objects, BOX_POINTS), (prompts.mask_objects, MASK_POINTS)):
        for index in objects.tolist():
            found[index] += points
    return found


def _check_aspect(aspect: float, limits: Limits) -> None:
    """The aspect ratio (w / h) of a scene for π³."""
    if max(aspect, 1 / aspect) > limits.max_aspect:
        shape = f"{aspect:.2f} times as wide as high" if aspect > 1 else f"{1 / aspect:.2f} times as high as wide"
        raise RequestError(
            f"IMAGES: the photographs are {shape} (the middle one), more than the {limits.max_aspect:g} allowed; "
            "crop them, or send your own pointmaps"
        )


def _check_files(files: Sequence[bytes], name: str, limits: Limits) -> int:
    """Bytes of all files."""
    for index, data in enumerate(files):
        if not isinstance(data, bytes):
            raise RequestError(f"{name} {index} is {type(data).__name__}; send the bytes of an encoded picture")
        if len(data) > limits.max_image_bytes:
            raise RequestError(
                f"{name} {index} has {len(data)} bytes, more than the {limits.max_image_bytes} allowed; compress it"
            )
    return sum(map(len, files))


def check_image_sizes(image_sizes: np.ndarray, max_image_pixels: int) -> None:
    """Sizes (height, width), int [N, 2], that come by themselves and not in the headers of photographs.

    Raises:
        RequestError: a photograph without pixels, or with too many.
    """
    for view, (height, width) in enumerate(image_sizes.tolist()):
        if height < 1 or width < 1:
            raise RequestError(
                f"IMAGE_SIZES: view {view} is {width}x{height}; give height and width of each photograph in pixels"
            )
        if width * height > max_image_pixels:
            raise RequestError(
                f"IMAGE_SIZES: view {view} is {width}x{height}, more than the {max_image_pixels} pixels allowed; "
                "send a smaller photograph"
            )


def check_prompts(prompts: Prompts, image_sizes: Sequence[tuple[int, int]]) -> None:
    """The prompts against the photographs' sizes (height, width).

    Raises:
        RequestError: an unknown label, view or object, a coordinate that is outside the picture or no number, a mask
            that does not fit its photograph, or an object without a positive prompt.
    """
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
        index, click = _first(unknown)
        raise RequestError(
            f"POINT_LABELS: object {index}, click {click} has label {labels[index, click]}; "
            "give 1 (positive), 0 (negative) or -1 (padding)"
        )
    used = labels != PADDING
    beyond = used & ((prompts.point_views < 0) | (prompts.point_views >= len(sizes)))
    if beyond.any():
        index, click = _first(beyond)
        raise RequestError(
            f"POINT_VIEWS: object {index}, click {click} names view {prompts.point_views[index, click]} "
            f"of {len(sizes)}; give 0 to {len(sizes) - 1}"
        )
    unreal = used & ~np.isfinite(prompts.points).all(axis=2)
    if unreal.any():
        index, click = _first(unreal)
        raise RequestError(f"{_click(prompts, index, click)} is nowhere; give finite pixel coordinates")
    height, width = np.moveaxis(sizes[np.where(used, prompts.point_views, 0)], -1, 0)
    x, y = np.moveaxis(prompts.points, -1, 0)
    with np.errstate(invalid="ignore"):  # padding may hold NaN
        outside = used & ~((x >= -0.5) & (y >= -0.5) & (x < width - 0.5) & (y < height - 0.5))
    if outside.any():
        index, click = _first(outside)
        view = prompts.point_views[index, click]
        rows, columns = sizes[view]
        raise RequestError(
            f"{_click(prompts, index, click)} lies outside view {view} ({columns}x{rows}); "
            f"give x in [0, {columns - 1}] and y in [0, {rows - 1}]"
        )


def check_geometry(geometry: Geometry, views: int) -> None:
    """The pointmaps' numbers and their count.

    Raises:
        RequestError: not one pointmap a photograph, a view without valid pixels, or one without finite numbers.
    """
    if len(geometry.points) != views:
        raise RequestError(f"points holds {len(geometry.points)} views, IMAGES {views}; give one pointmap a photograph")
    without = np.flatnonzero(~geometry.valid.any(axis=(1, 2)))
    if without.size:
        raise RequestError(f"VALID: view {without[0]} has no valid pixel; leave that view out")
    for name, finite in (
        ("points", np.isfinite(geometry.points).all(axis=3)),
        ("confidence", np.isfinite(geometry.confidence)),
    ):
        broken = geometry.valid & ~finite
        if broken.any():
            view, row, column = np.unravel_index(int(broken.argmax()), broken.shape)
            raise RequestError(
                f"{name}: view {view}, pixel ({column}, {row}) is not finite; set VALID to false where no geometry is"
            )


def check_clicks_are_valid(prompts: Prompts, valid: np.ndarray, frames: Sequence[Frame]) -> None:
    """Every click (not padding) must lie on geometry.

    Args:
        prompts: checked against the photographs' sizes.
        valid: bool [N, H, W].
        frames: of the N views.

    Raises:
        RequestError: a click on a pixel whose geometry is invalid.
    """
    rows, columns = click_pixels(prompts, frames)
    used = prompts.point_labels != PADDING
    nowhere = used & ~valid[np.where(used, prompts.point_views, 0), rows, columns]
    if nowhere.any():
        index, click = _first(nowhere)
        raise RequestError(
            f"{_click(prompts, index, click)} in view {prompts.point_views[index, click]} lies on pixel "
            f"({columns[index, click]}, {rows[index, click]}) of the pointmap, which has no valid geometry; "
            "click beside it"
        )


def check_boxes_are_valid(prompts: Prompts, valid: np.ndarray, frames: Sequence[Frame]) -> None:
    """Every box must hold geometry; arguments as for `check_clicks_are_valid`.

    Raises:
        RequestError: a box without a valid pixel inside.
    """
    for index, (box, view) in enumerate(zip(prompts.boxes, prompts.box_views, strict=True)):
        if not valid[view][box_extent(box, frames[view])].any():
            raise RequestError(f"BOXES: box {index} holds no valid geometry in view {view}; draw it elsewhere")


def check_mask_is_valid(
    prompts: Prompts, index: int, mask: np.ndarray, valid: np.ndarray, frames: Sequence[Frame]
) -> None:
    """A mask prompt must cover geometry.

    Args:
        prompts: checked against the photographs' sizes.
        index: of the mask.
        mask: bool, decoded.
        valid: bool [N, H, W].
        frames: of the N views.

    Raises:
        RequestError: no valid pixel is even partly inside.
    """
    view = int(prompts.mask_views[index])
    if not (mask_share(mask, frames[view], valid.shape[1:])[valid[view]] > 0).any():
        raise RequestError(f"PROMPT_MASKS: mask {index} covers no valid geometry in view {view}; paint more of it")


def _photograph_header(data: bytes, view: int, limits: Limits) -> Header:
    header = read_header(data, f"IMAGES: view {view}")
    width, height = header.stored_width, header.stored_height
    if width * height > limits.max_image_pixels:
        raise RequestError(
            f"IMAGES: view {view} has {width}x{height} pixels, more than the {limits.max_image_pixels} allowed; "
            "send a smaller photograph"
        )
    return header


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
                "unite them into one"
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


def _first(wrong: np.ndarray) -> tuple[int, int]:
    index, click = np.unravel_index(int(wrong.argmax()), wrong.shape)
    return int(index), int(click)


def _click(prompts: Prompts, index: int, click: int) -> str:
    return f"POINTS: object {index}, click {click} at {_at(prompts.points[index, click])}"


def _at(coordinates: np.ndarray) -> str:
    return "(" + ", ".join(str(value) for value in coordinates) + ")"
