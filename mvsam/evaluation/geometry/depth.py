"""Depth maps to pointmaps, and pointmaps of any sizes to one size for all views."""

from collections.abc import Iterable, Sequence
from math import sqrt

import numpy as np

from mvsam.evaluation.geometry.cameras import at_size
from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.request import Geometry

MOST_PIXELS = Limits.max_geometry_pixels  # of a view's pointmap, which the service refuses beyond


def unprojected(
    depths: np.ndarray,
    valid: np.ndarray,
    intrinsics: np.ndarray,
    poses: np.ndarray,
    confidence: np.ndarray | None = None,
) -> Pointmaps:
    """Points along the rays of pixels' centres.

    Args:
        depths: [N, H, W] along the optical axis, in the unit of the poses.
        valid: bool [N, H, W]; what is no positive finite depth is invalid besides.
        intrinsics: [N, 3, 3] in pixels of the depth maps, the centre of the first pixel at (0.5, 0.5).
        poses: [N, 4, 4], camera to world, OpenCV axes.
        confidence: [N, H, W]; by default the same everywhere, as measured depth has no other.
    """
    valid = valid & np.isfinite(depths) & (depths > 0)
    height, width = depths.shape[1:]
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    pixels = np.stack([u, v, np.ones_like(u)], axis=-1)
    points = np.empty((*depths.shape, 3), np.float32)
    for view, (depth, lens, pose) in enumerate(zip(depths, intrinsics, poses, strict=True)):
        rays = pixels @ np.linalg.inv(lens.astype(np.float64)).T
        local = rays * np.where(valid[view], depth, 0)[..., None]
        points[view] = local @ pose[:3, :3].T.astype(np.float64) + pose[:3, 3]
    sure = np.ones(depths.shape, np.float32) if confidence is None else np.asarray(confidence, np.float32)
    return Pointmaps(Geometry(points, sure, valid), poses.astype(np.float32), intrinsics.astype(np.float32))


def common_size(sizes: Sequence[tuple[int, int]], most: int = MOST_PIXELS) -> tuple[int, int]:
    """The size (height, width) that loses no row and no column of any view, within so many pixels."""
    height, width = (max(sides) for sides in zip(*sizes, strict=True))
    shrinking = min(1.0, sqrt(most / (height * width)))
    return max(1, int(height * shrinking)), max(1, int(width * shrinking))


def cut(pointmaps: Pointmaps, rect: tuple[int, int, int, int]) -> Pointmaps:
    """Those of a rectangle (x, y, w, h), the same in every view."""
    left, top, width, height = rect
    rows, columns = slice(top, top + height), slice(left, left + width)
    geometry, intrinsics = pointmaps.geometry, pointmaps.intrinsics
    if intrinsics is not None:
        intrinsics = intrinsics.copy()
        intrinsics[:, :2, 2] -= np.array([left, top], np.float32)
    inside = Geometry(*(array[:, rows, columns] for array in vars(geometry).values()))
    return Pointmaps(inside, pointmaps.camera_poses, intrinsics)


def resampled(parts: Iterable[Pointmaps], size: tuple[int, int]) -> Pointmaps:
    """Views of any sizes, one after the other, at one size (height, width).

    Each pixel takes the point under its centre: in between, at the edges of things, there are no points. So a point may
    lie beside its pixel's ray by half a pixel of the part that it comes from.

    Args:
        parts: at least one; looked at one at a time.
        size: of the result.
    """
    maps, poses, lenses = [], [], []
    for part in parts:
        shape = part.geometry.valid.shape[1:]
        rows, columns = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(size, shape, strict=True))
        maps.append([array[:, rows[:, None], columns] for array in vars(part.geometry).values()])
        poses.append(part.camera_poses)
        lens = part.intrinsics
        lenses.append(None if lens is None else at_size(lens, shape, size).astype(np.float32))
    geometry = Geometry(*(np.concatenate(arrays) for arrays in zip(*maps, strict=True)))
    return Pointmaps(geometry, _together(poses), _together(lenses))


def _together(arrays: list[np.ndarray | None]) -> np.ndarray | None:
    """None where one of them is not known."""
    known = [array for array in arrays if array is not None]
    return np.concatenate(known) if len(known) == len(arrays) else None
