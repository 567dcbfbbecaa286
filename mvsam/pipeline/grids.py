"""Pointmap to embedding grid: one 3-D point a cell."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mvsam.pipeline.frames import Frame
from mvsam.pipeline.request import Geometry


def sample_grid(
    geometry: Geometry, low: np.ndarray, frames: Sequence[Frame], side: int
) -> tuple[np.ndarray, np.ndarray]:
    """The point at each cell's centre; averaging would invent points at depth edges.

    A cell whose own pixel is invalid takes the nearest valid pixel of its view, and counts as low in confidence.

    Args:
        geometry: N views, each with a valid pixel.
        low: bool [N, H, W].
        frames: of the N views.
        side: cells along each side, E.

    Returns:
        Points float32 [N, E, E, 3] and low confidence bool [N, E, E].
    """
    views = len(geometry.points)
    points, flags = np.empty((views, side, side, 3), np.float32), np.empty((views, side, side), bool)
    for view, frame in enumerate(frames):
        valid = geometry.valid[view]
        rows, columns = frame.grid_pixels(side)
        missing = ~valid[rows, columns]
        if missing.any():
            rows[missing], columns[missing] = _nearest_valid(valid, rows[missing], columns[missing])
        points[view] = geometry.points[view, rows, columns]
        flags[view] = low[view, rows, columns] | missing
    return points, flags


def _nearest_valid(valid: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The valid pixel nearest to each invalid one; only valid pixels that touch an invalid one can be nearest."""
    # Here, because it takes 0.2 s of every start of two models, and only geometry with holes needs it.
    from scipy.spatial import KDTree

    interior = cv2.erode(valid.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    rim = np.argwhere(valid & ~interior)
    _, nearest = KDTree(rim).query(np.stack([rows, columns], axis=1))
    return rim[nearest, 0], rim[nearest, 1]
