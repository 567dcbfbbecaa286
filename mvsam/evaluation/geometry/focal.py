"""A view's focal length, out of a pointmap that says nothing of cameras."""

import numpy as np


def fitted_focal(points: np.ndarray, valid: np.ndarray, size: tuple[int, int]) -> float | None:
    """The focal length of a camera with square pixels whose principal point is in the middle of the photograph.

    Each coordinate of each point says which focal length it needs to be seen where it is: its pixel's offset from the
    middle over x / z or y / z. The answer is their median, weighted by the offsets, since the middle says little. Up to
    half of the weight may be wrong without an end to the error.

    Args:
        points: [H, W, 3] in the camera's frame, OpenCV axes; the pointmap covers the whole photograph, stretched.
        valid: bool [H, W]; what is not in front of the camera is left out besides.
        size: (height, width) of the photograph.

    Returns:
        In pixels of the photograph; None where no camera sees these points so.
    """
    offsets = np.stack(np.meshgrid(*(_offsets(n, m) for n, m in zip(valid.shape[::-1], size[::-1], strict=True))), -1)
    used = valid & np.isfinite(points).all(axis=-1) & (points[..., 2] > 0)
    chosen = points[used].astype(np.float64)
    offset, slope = offsets[used].ravel(), (chosen[:, :2] / chosen[:, 2:]).ravel()
    telling = (offset != 0) & (slope != 0)
    if not telling.any():
        return None
    focal = _weighted_median(offset[telling] / slope[telling], np.abs(offset[telling]))
    return focal if focal > 0 else None


def centred_intrinsics(focal: float, photograph: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Intrinsics [3, 3] in pixels of a pointmap (height, width) that covers a photograph with such a focal length."""
    (height, width), (rows, columns) = photograph, size
    lens = [[focal * columns / width, 0, columns / 2], [0, focal * rows / height, rows / 2], [0, 0, 1]]
    return np.array(lens, np.float32)


def _offsets(count: int, length: int) -> np.ndarray:
    """From the middle of a photograph, in its pixels, of the centres of so many pixels along a side."""
    return ((np.arange(count) + 0.5) / count - 0.5) * length


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
