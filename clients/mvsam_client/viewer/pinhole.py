"""The focal length of a view, which the server does not send: fitted to its points."""

import numpy as np

# Points that miss their pixels by more than so many times the median of all are left out of the fit.
STRAYS = 2.0


def focal(points: np.ndarray, chosen: np.ndarray) -> float:
    """The focal length in pixels, square ones, with the principal point in the middle of the frame.

    A least-squares fit of where the points would be seen to their pixels, without those that the median of every
    point's own focal length leaves far off: single wild points do not matter.

    Args:
        points: [H, W, 3] in the camera's own frame, OpenCV axes.
        chosen: bool [H, W], the points to use; those that are not in front of the camera are left out.

    Returns:
        Pixels; the frame's longer side where no point can be used.
    """
    height, width = chosen.shape
    usable = chosen & np.isfinite(points).all(axis=-1) & (points[..., 2] > 0)
    rows, columns = np.nonzero(usable)
    seen = np.stack([columns + 0.5 - width / 2, rows + 0.5 - height / 2], axis=1)
    found = points[usable].astype(np.float64)
    slopes = found[:, :2] / found[:, 2:]
    alike, squares = (slopes * seen).sum(axis=1), (slopes**2).sum(axis=1)
    ahead = alike > 0
    if not ahead.any():
        return float(max(height, width))
    misses = np.linalg.norm(seen - np.median(alike[ahead] / squares[ahead]) * slopes, axis=1)
    close = ahead & (misses <= STRAYS * np.median(misses[ahead]))
    return float(alike[close].sum() / squares[close].sum())


def in_camera(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Points [..., 3] of the scene in a camera's frame.

    Args:
        points: [..., 3].
        pose: [4, 4], camera to scene.
    """
    return (points - pose[:3, 3]) @ pose[:3, :3]
