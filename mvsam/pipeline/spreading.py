"""A few pixels that stand for a region, the same ones every time."""

from __future__ import annotations

import cv2
import numpy as np


def spread_pixels(region: np.ndarray, count: int) -> np.ndarray:
    """Picks pixels of a region one after another, each the farthest from the region's edge and from those before.

    So they are spread out, yet keep clear of the edge, where geometry is least certain.

    Args:
        region: bool [h, w].
        count: how many pixels.

    Returns:
        int64 [k, 2] (row, column), k = min(count, the region's area).
    """
    room = np.pad(region.astype(np.uint8), 1)  # the picture's border is an edge too
    picked = []
    for _ in range(min(count, int(region.sum()))):
        distance = cv2.distanceTransform(room, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        row, column = np.unravel_index(int(distance.argmax()), distance.shape)
        room[row, column] = 0
        picked.append((row - 1, column - 1))
    return np.array(picked, np.int64).reshape(-1, 2)
