"""Pointmaps compared up to what a geometry network cannot know: position, rotation and scale of the whole scene."""

import numpy as np


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation [3, 3] and shift [3] that bring points [n, 3] nearest to others (Umeyama, 1991)."""
    centre_s, centre_t = source.mean(0), target.mean(0)
    s, t = source - centre_s, target - centre_t
    u, singular, vt = np.linalg.svd(t.T @ s / len(s))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ np.diag(sign) @ vt
    variance = (s**2).sum(1).mean()
    scale = float((singular * sign).sum() / variance) if variance else 0.0  # one point everywhere goes to the mean
    return scale, rotation, centre_t - scale * rotation @ centre_s


def spread(points: np.ndarray) -> float:
    """The scale of a scene: the root mean square distance of its points [n, 3] from their mean."""
    points = points.astype(np.float64)
    return float(np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean()))


def aligned_distances(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Distance of each point [..., 3] after alignment, over the scene's scale: float64 [...].

    The scale is the root mean square distance of the exact points from their mean, so that a map that says the same
    point everywhere scores about one.
    """
    p, x = found.reshape(-1, 3).astype(np.float64), exact.reshape(-1, 3).astype(np.float64)
    scale, rotation, shift = similarity(p, x)
    distance = np.linalg.norm(scale * p @ rotation.T + shift - x, axis=1)
    return (distance / spread(x)).reshape(found.shape[:-1])


def aligned_error(found: np.ndarray, exact: np.ndarray) -> float:
    """Median of the distances after alignment."""
    return float(np.median(aligned_distances(found, exact)))
