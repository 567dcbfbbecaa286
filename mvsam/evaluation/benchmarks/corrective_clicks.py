"""Where the next click goes when a mask is corrected: into the middle of its largest error.

As interactive segmentation is measured (Sofiiuk et al., Reviving Iterative Training with Mask Guidance, 2022; Kirillov
et al., Segment Anything, 2023), here over several views at once.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from mvsam.evaluation.benchmarks.scenes import Click

NEIGHBOURS = np.ones((3, 3), bool)  # pixels that touch at a corner are one region, as for sprinkles


class _Region(NamedTuple):
    """A connected error: which view, whether the object was missed there, its size, and its pixels in a window."""

    view: int
    is_missed: bool
    size: int
    window: tuple[slice, slice]
    inside: np.ndarray


def next_click(
    found: Mapping[int, np.ndarray],
    truth: Mapping[int, np.ndarray],
    clickable: Mapping[int, np.ndarray],
    made: Sequence[Click] = (),
) -> Click | None:
    """Places a click in the largest connected error region of all views, on the pixel farthest from its border.

    It is positive where the object was missed, negative where something else was marked. A region in which no click is
    possible gives way to the next largest. Of equals the lowest view, missed before wrong, and the uppermost leftmost
    pixel count.

    Args:
        found: view to mask, bool [h, w] of the photograph's size; nothing before the first click.
        truth: the exact masks of the same views and sizes.
        clickable: where clicks are possible, likewise.
        made: clicks so far; their pixels are not clicked on again.

    Returns:
        None where there is no error to click on.
    """
    free = {view: here.copy() for view, here in clickable.items()}
    for click in made:
        free[click.view][int(click.y), int(click.x)] = False
    regions = [region for view in sorted(found) for region in _regions(view, found[view], truth[view])]
    for region in sorted(regions, key=lambda region: -region.size):
        possible = region.inside & free[region.view][region.window]
        if possible.any():
            depth = np.asarray(ndimage.distance_transform_edt(np.pad(region.inside, 1)))[1:-1, 1:-1]
            row, column = np.unravel_index(np.where(possible, depth, 0).argmax(), depth.shape)
            rows, columns = region.window
            return Click(region.view, float(columns.start + column), float(rows.start + row), region.is_missed)
    return None


def _regions(view: int, found: np.ndarray, truth: np.ndarray) -> list[_Region]:
    """All connected errors of one view."""
    regions = []
    for is_missed, errors in ((True, truth & ~found), (False, found & ~truth)):
        labels = np.empty(errors.shape, np.int32)
        ndimage.label(errors, NEIGHBOURS, labels)
        for label, window in enumerate(ndimage.find_objects(labels), start=1):
            inside = labels[window] == label
            regions.append(_Region(view, is_missed, int(inside.sum()), window, inside))
    return regions
