"""What training does to exact geometry, so that masks hold with an estimated one."""

from dataclasses import dataclass

import cv2
import numpy as np

from mvsam.pipeline.request import Geometry


@dataclass(frozen=True)
class Disturbance:
    """Errors as a geometry network makes them; lengths are relative to the scene's standard deviation.

    Attributes:
        share: of the examples that are disturbed at all; the others keep exact points and one confidence.
        noise: deviation of the noise of single pixels, at the least sure ones.
        bend: deviation of the smooth error of each view.
        wider: largest natural logarithm of how far the scene reaches beyond its views, in standard deviations; half of
            the examples are placed in such a scene, so that no size of objects is taken for granted.
        views: at most so many views share the statistics; the number is drawn anew for each example.
    """

    share: float = 0.0
    noise: float = 0.0
    bend: float = 0.0
    wider: float = 0.0
    views: int = 8


def disturbed(geometry: Geometry, disturbance: Disturbance, rng: np.random.Generator) -> Geometry:
    """Fewer views, and on a share of the examples errors with a confidence that ranks them roughly."""
    count = int(rng.integers(1, min(disturbance.views, len(geometry.points)) + 1))
    others = rng.permutation(np.arange(1, len(geometry.points)))[: count - 1]
    chosen = np.concatenate([[0], others]).astype(np.int64)
    points, confidence, valid = geometry.points[chosen], geometry.confidence[chosen], geometry.valid[chosen]
    if rng.random() >= disturbance.share:
        return Geometry(points, confidence, valid)
    scale = float(points[valid].std(axis=0).mean())
    unsure = np.stack([_unsure(view, rng) for view in points])
    noise = disturbance.noise * scale * rng.random()
    wrong = points + (noise * unsure)[..., None] * rng.standard_normal(points.shape, dtype=np.float32)
    bend = disturbance.bend * scale * rng.random()
    wrong += bend * np.stack([_smooth(view.shape[:2], 3, rng) for view in points])
    jitter = 0.1 * rng.standard_normal(unsure.shape, dtype=np.float32)
    return Geometry(wrong.astype(np.float32), (1 - unsure + jitter).astype(np.float32), valid)


def _unsure(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How little a network would trust each pixel of a view, 0 to 1: most at depth edges, somewhat in patches."""
    steps = np.zeros(points.shape[:2], np.float32)
    steps[1:] += np.linalg.norm(np.diff(points, axis=0), axis=-1)
    steps[:, 1:] += np.linalg.norm(np.diff(points, axis=1), axis=-1)
    edges = np.clip(steps / (8 * np.median(steps) + 1e-6), 0, 1)
    patches = np.clip(0.5 * _smooth(points.shape[:2], 1, rng)[..., 0], 0, 1)
    return np.maximum(cv2.GaussianBlur(edges, (0, 0), 1.5), patches)


def _smooth(shape: tuple[int, ...], channels: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit deviation that varies over a quarter of the picture: float32 [h, w, channels]."""
    coarse = rng.standard_normal((4, 4, channels), dtype=np.float32)
    fine = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return fine.reshape(*shape, channels)
