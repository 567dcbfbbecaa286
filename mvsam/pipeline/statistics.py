"""A scene's z-score statistics and confidence threshold: (µ, σ, c_th) belong to the scene, not to a request."""

from __future__ import annotations

from math import fsum, sqrt

import numpy as np

from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.request import Geometry

LOW_CONFIDENCE_PERCENT = 15


def scene_statistics(geometry: Geometry, low_percent: int = LOW_CONFIDENCE_PERCENT) -> np.ndarray:
    """Mean and standard deviation of all valid points of all views, and the confidence threshold.

    Sums run in float64 and meet in an exact sum, so that the order of the views changes nothing at all.

    Args:
        geometry: of all views.
        low_percent: of the points that count as low in confidence.

    Returns:
        float32 [7]: µ (x, y, z), σ (x, y, z), c_th. σ is 1 where all coordinates are equal.
    """
    views = [points[valid].astype(np.float64) for points, valid in zip(geometry.points, geometry.valid, strict=True)]
    count = sum(len(points) for points in views)
    mean = _sum([points.sum(axis=0) for points in views]) / count
    variance = _sum([np.square(points - mean).sum(axis=0) for points in views]) / count
    deviation = np.array([sqrt(value) for value in variance], np.float32)
    deviation[deviation == 0] = 1
    threshold = confidence_threshold(geometry.confidence[geometry.valid], low_percent)
    return np.array([*mean, *deviation, threshold], np.float32)


def confidence_threshold(confidence: np.ndarray, low_percent: int = LOW_CONFIDENCE_PERCENT) -> np.float32:
    """c_th of n valid confidences: the ⌈0.15·n⌉-th smallest, but always below the largest; below all at 0 percent.

    So where many points share the highest confidence (a depth camera's, exact geometry) none of those counts as low.
    """
    rank = -(-low_percent * confidence.size // 100)
    if not rank:
        return np.float32(-np.inf)
    threshold = np.partition(confidence, rank - 1)[rank - 1]
    return min(threshold, np.nextafter(confidence.max(), np.float32(-np.inf)))


def check_statistics(statistics: np.ndarray) -> None:
    """Statistics that a request brings along.

    Raises:
        RequestError: not seven numbers that can be divided by and compared with.
    """
    if statistics.shape != (7,):
        raise RequestError(f"SCENE_STATISTICS has shape {list(statistics.shape)}; give [7]: mean, deviation, threshold")
    if not np.isfinite(statistics[:6]).all() or (statistics[3:6] <= 0).any() or np.isnan(statistics[6]):
        raise RequestError(
            "SCENE_STATISTICS must hold finite means, positive deviations and a threshold; pass on what was received"
        )


def _sum(terms: list[np.ndarray]) -> np.ndarray:
    return np.array([fsum(column) for column in zip(*terms, strict=True)])
