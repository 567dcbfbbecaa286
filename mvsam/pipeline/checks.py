"""Every check of a request, before anything is decoded or computed: how much it holds, then what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from mvsam.pipeline.encodings import MaskEncoding
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.frames import Frame, scene_aspect
from mvsam.pipeline.geometry_checks import check_boxes_are_valid, check_clicks_are_valid, check_geometry
from mvsam.pipeline.headers import Header, check_complete, read_header
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.prompt_checks import check_prompts
from mvsam.pipeline.prompts import BOX_POINTS, MASK_POINTS
from mvsam.pipeline.request import Geometry, Prompts


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
    come_later, prompts = prompts is None, prompts or Prompts.none()
    check_limits(images, prompts, limits)
    headers = [_photograph_header(data, view, limits) for view, data in enumerate(images)]
    sizes = [header.size for header in headers]
    if not come_later:
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
    headers = [read_header(data, f"PROMPT_MASKS: mask {index}") for index, data in enumerate(prompts.masks)]
    pixels = sum(header.stored_width * header.stored_height for header in headers)
    if pixels > limits.max_mask_pixels:
        raise RequestError(
            f"PROMPT_MASKS: {pixels} pixels in all masks, more than the {limits.max_mask_pixels} allowed; "
            "send fewer masks a request"
        )


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


def check_answer_bytes(image_sizes: np.ndarray, objects: int, encoding: MaskEncoding, most: int) -> None:
    """Sizes of the masks of an answer, where that is known before they are there.

    Args:
        image_sizes: int [N, 2] (h, w) of the photographs.
        objects: whose masks are asked for in each.
        encoding: of the masks.
        most: bytes.

    Raises:
        RequestError: more than that.
    """
    pixels = objects * int(image_sizes.astype(np.int64).prod(axis=1).sum())
    size = {MaskEncoding.RAW: pixels, MaskEncoding.PACKED: pixels // 8}.get(encoding, 0)
    if size > most:
        raise RequestError(
            f"ENCODING: masks in {encoding.value} would have {size} bytes, more than the {most} allowed; "
            "ask for rle or png, or for fewer objects at once"
        )


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


def _photograph_header(data: bytes, view: int, limits: Limits) -> Header:
    header = read_header(data, f"IMAGES: view {view}")
    width, height = header.stored_width, header.stored_height
    if width * height > limits.max_image_pixels:
        raise RequestError(
            f"IMAGES: view {view} has {width}x{height} pixels, more than the {limits.max_image_pixels} allowed; "
            "send a smaller photograph"
        )
    return header
