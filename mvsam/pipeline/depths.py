"""Depth in a view whose camera is unknown, out of its pointmap, and the depth that dominates a region."""

from __future__ import annotations

import numpy as np

_SAMPLES = 1000
_BINS = 64
_FINEST_BIN = 0.01  # relative depth: a surface with relief finer than this is one surface
_SMOOTHING = np.array([1, 4, 6, 4, 1]) / 16
_MODE_FLOOR = 0.15  # a mode ends where the smoothed histogram falls below this part of its peak
_DEGENERATE = 1e-5  # second smallest over largest singular value: below, more than one camera fits


def estimate_depth(points: np.ndarray, valid: np.ndarray) -> np.ndarray | None:
    """Depth of each pixel along its view's optical axis, up to scale, by linear resection (DLT).

    Args:
        points: float32 [H, W, 3], in any frame.
        valid: bool [H, W].

    Returns:
        float64 [H, W], positive on valid pixels and NaN elsewhere; None where the points determine no camera
        (planar geometry, too few points, or a fit that puts points behind the camera).
    """
    rows, columns = np.nonzero(valid)
    chosen = np.linspace(0, len(rows) - 1, min(_SAMPLES, len(rows))).astype(np.int64)
    if len(chosen) < 12:
        return None
    pixels = np.stack([columns[chosen], rows[chosen]], axis=1).astype(np.float64)
    world = points[rows[chosen], columns[chosen]].astype(np.float64)
    centre = world.mean(axis=0)
    scale = (world - centre).std()
    if scale == 0:
        return None
    pixels = (pixels - pixels.mean(axis=0)) / pixels.std()
    world = np.c_[(world - centre) / scale, np.ones(len(world))]
    system = np.zeros((2 * len(world), 12))
    for axis in range(2):
        system[axis::2, 4 * axis : 4 * axis + 4] = world
        system[axis::2, 8:] = -pixels[:, axis : axis + 1] * world
    _, singular, directions = np.linalg.svd(system, full_matrices=False)
    if singular[-2] < _DEGENERATE * singular[0]:
        return None
    axis_row = directions[-1, 8:]
    depth = (points.astype(np.float64) - centre) / scale @ axis_row[:3] + axis_row[3]
    depth = np.where(valid, depth * np.sign(np.median(depth[valid])), np.nan)
    return depth if (depth[valid] > 0).all() else None


def dominant_mode(depth: np.ndarray) -> tuple[float, float]:
    """The interval of depths (positive, [n]) around the highest peak of their smoothed histogram over log depth."""
    values = np.log(depth)
    low, high = np.quantile(values, (0.01, 0.99))
    centre, half = (low + high) / 2, max(high - low, _BINS * _FINEST_BIN) / 2
    counts, edges = np.histogram(values, bins=_BINS, range=(centre - half, centre + half))
    smooth = np.convolve(np.pad(counts, 2), _SMOOTHING, mode="valid")
    peak = int(smooth.argmax())
    outside = np.flatnonzero(smooth < _MODE_FLOOR * smooth[peak])
    first = outside[outside < peak].max(initial=-1) + 1
    last = outside[outside > peak].min(initial=_BINS) - 1
    return float(np.exp(edges[first])), float(np.exp(edges[last + 1]))
