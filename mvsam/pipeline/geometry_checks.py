"""Checks of the user's own geometry, and of prompts against where it is valid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.frames import Frame, click_pixels
from mvsam.pipeline.prompt_checks import click_at, first_of
from mvsam.pipeline.regions import box_extent, mask_share
from mvsam.pipeline.request import PADDING, Geometry, Prompts


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
        index, click = first_of(nowhere)
        raise RequestError(
            f"{click_at(prompts, index, click)} in view {prompts.point_views[index, click]} lies on pixel "
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
