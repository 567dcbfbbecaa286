"""Whether masks of several views mark the same things: each laid into every other by the pointmaps and cameras.

Needs no exact masks. A pixel of one view takes part in another where its point falls into the picture and lies no more
than 2 % of its depth from what the other view sees there. Over these pixels the masks' IoU is taken.
"""

from collections.abc import Sequence
from itertools import permutations

import cv2
import numpy as np

from mvsam.evaluation.geometry.cameras import projected
from mvsam.evaluation.geometry.pointmaps import Pointmaps

DEPTH_TOLERANCE = 0.02  # of the depth
LEAST_SHARED = 0.01  # share of a view's pixels that another must see too


def agreement(masks: Sequence[np.ndarray], pointmaps: Pointmaps) -> float | None:
    """Mean IoU over ordered pairs of views that share enough pixels, one of which is marked in either.

    Args:
        masks: N of bool [h, w], of any sizes.
        pointmaps: of the N views, with cameras.

    Returns:
        None where no pair shares enough, nothing is marked, or the cameras are not known.
    """
    if pointmaps.camera_poses is None or pointmaps.intrinsics is None:
        return None
    height, width = pointmaps.geometry.valid.shape[1:]
    sized = [
        cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT) > 0 for mask in masks
    ]
    ious = []
    for one, other in permutations(range(len(masks)), 2):
        pixels, places = shared_pixels(pointmaps, one, other)
        if len(pixels) < LEAST_SHARED * height * width:
            continue
        a, b = sized[one].ravel()[pixels], sized[other].ravel()[places]
        union = int((a | b).sum())
        if union:
            ious.append(int((a & b).sum()) / union)
    return float(np.mean(ious)) if ious else None


def shared_pixels(pointmaps: Pointmaps, one: int, other: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of pixels of one view that another sees too, and of where it sees them: int64 [k] each."""
    assert pointmaps.camera_poses is not None and pointmaps.intrinsics is not None
    geometry, camera = pointmaps.geometry, (pointmaps.camera_poses[[other]], pointmaps.intrinsics[[other]])
    height, width = geometry.valid.shape[1:]
    (pixels,) = np.nonzero(geometry.valid[one].ravel())
    x, y, depth = projected(*camera, geometry.points[one].reshape(-1, 3)[pixels])[0].T
    before = depth > 0
    pixels, x, y, depth = pixels[before], x[before], y[before], depth[before]
    columns, rows = np.floor(x / depth).astype(np.int64), np.floor(y / depth).astype(np.int64)
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    pixels, depth, places = pixels[inside], depth[inside], (rows * width + columns)[inside]
    seen = projected(*camera, geometry.points[other].reshape(-1, 3)[places])[0, :, 2]
    same = geometry.valid[other].ravel()[places] & (np.abs(seen - depth) <= DEPTH_TOLERANCE * depth)
    return pixels[same], places[same]
