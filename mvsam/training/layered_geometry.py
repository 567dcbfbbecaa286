"""Pseudo-geometry for photographs that have none: regions of a human segmentation as smooth layers in depth.

Depth edges and mask edges agree only as often as in life: a region becomes a layer of its own by chance, may be cut in
two, and layers that no mask knows lie among them.
"""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class LayerSampling:
    """How layers are drawn; shares are probabilities.

    Attributes:
        separate: share of the regions that become layers of their own; the others keep the depth behind them.
        split: share of the layers that are cut in two by a line.
        strangers: at most so many layers that no mask knows.
        offset: standard deviation of the logarithm of a layer's depth against what is behind it.
        slant: standard deviation of a layer's change in depth across the picture, as a part of its depth.
        bulge: standard deviation of how far a layer's middle stands out, as a part of its depth.
    """

    separate: float = 0.6
    split: float = 0.25
    strangers: int = 3
    offset: float = 0.25
    slant: float = 0.25
    bulge: float = 0.12


def layered_points(
    masks: np.ndarray, size: tuple[int, int], sampling: LayerSampling, rng: np.random.Generator
) -> np.ndarray:
    """Draws points for one photograph: float32 [H, W, 3], x right, y down, z forward, depths around 1.

    Args:
        masks: bool [K, h, w], its regions; they may overlap.
        size: (H, W) of the points.
        sampling: how layers are drawn.
        rng: the only source of chance.
    """
    height, width = size
    v, u = np.mgrid[:height, :width].astype(np.float32)
    u, v = (u + 0.5) / width - 0.5, (v + 0.5) / height - 0.5
    # Inverse depth: a ground that comes nearer towards the bottom, a wall behind it, hills.
    ground = np.maximum(rng.uniform(0.1, 0.6), 1 + rng.uniform(0.0, 1.6) * v + rng.normal(0, 0.2) * u)
    inverse = (ground + rng.uniform(0, 0.15) * _smooth(size, rng)).clip(0.05)
    regions = [
        cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
        for mask in masks
        if rng.random() < sampling.separate
    ]
    regions += [_smooth(size, rng) > rng.uniform(0.8, 1.6) for _ in range(int(rng.integers(sampling.strangers + 1)))]
    for region in sorted(regions, key=np.count_nonzero, reverse=True):  # small things stand before large ones
        for part in _parts(region, sampling.split, u, v, rng):
            _lay(inverse, part, u, v, sampling, rng)
    depth = 1 / inverse
    focal = np.exp(rng.uniform(-0.5, 0.7))  # over the longer side
    longer = max(height, width)
    return np.stack([u * width / longer * depth / focal, v * height / longer * depth / focal, depth], axis=-1).astype(
        np.float32
    )


def _parts(region: np.ndarray, split: float, u: np.ndarray, v: np.ndarray, rng: np.random.Generator):
    """A region, or its two halves on both sides of a line through it."""
    if not region.any():
        return []
    if rng.random() >= split:
        return [region]
    angle = rng.uniform(0, np.pi)
    along = u * np.cos(angle) + v * np.sin(angle)
    beyond = along > rng.choice(along[region])
    return [part for part in (region & beyond, region & ~beyond) if part.any()]


def _lay(
    inverse: np.ndarray,
    region: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    sampling: LayerSampling,
    rng: np.random.Generator,
) -> None:
    """Replaces the inverse depth inside a region by a smooth surface, in place."""
    rows = np.flatnonzero(region.any(1))
    foot = region & (v >= v[rows[-1], 0] - 0.05)  # a thing stands where its lowest pixels are
    level = float(np.median(inverse[foot])) * np.exp(abs(rng.normal(0, sampling.offset)))
    middle_u, middle_v = float(u[region].mean()), float(v[region].mean())
    slope_u, slope_v = rng.normal(0, sampling.slant, 2)
    surface = 1 + slope_u * (u - middle_u) + slope_v * (v - middle_v)
    within = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 3)
    surface = surface + rng.normal(0, sampling.bulge) * np.sqrt(within / max(float(within.max()), 1e-6))
    inverse[region] = (level * surface[region]).clip(0.05)


def _smooth(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Noise of about unit deviation that varies over a part of the picture: float32 [h, w]."""
    cells = int(rng.integers(3, 9))
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    return cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
