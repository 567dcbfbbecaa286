"""Logits of all views averaged in a bilateral grid (Chen et al., 2007) of 3-D position and colour.

Each view is decoded on its own, so its errors are its own; where several views show one place they outvote them. Colour
keeps apart what an estimated pointmap brings together by mistake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mvsam.pipeline.frames import Frame
from mvsam.pipeline.grids import sample_grid
from mvsam.pipeline.request import Geometry

SIDE = 64  # cells along each side of a view
GRIDS = 8  # each shifted by chance, so that no border between bins shows
SEED = 0  # of the shifts
# Chosen on 40 synthetic scenes apart from those that figures are reported on.
BIN = 0.12  # side, in root mean square distances of the scene's points from their mean
COLOUR_BIN = 0.15  # side, of RGB in 0 to 1
CERTAIN = 4.0  # logits beyond count little more than this one
LARGEST = 1 - 1e-6  # average of tanh, so that its inverse is finite


@dataclass(frozen=True)
class BilateralGrid:
    """The bins of the cells of N views.

    Attributes:
        bins: int32 [GRIDS, N * SIDE * SIDE], numbered from 0 in each grid.
        counts: of cells in each bin, by grid.
    """

    bins: np.ndarray
    counts: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, geometry: Geometry, frames: Sequence[Frame], colours: np.ndarray) -> BilateralGrid:
        """Sorts the cells of a scene into bins; neither the order of the views nor the scene's scale matters.

        Args:
            geometry: of N views, each with a valid pixel.
            frames: of the N views.
            colours: float32 [N, SIDE, SIDE, 3], RGB in 0 to 1; see `colours_of`.
        """
        points, _ = sample_grid(geometry, np.zeros_like(geometry.valid), frames, SIDE)
        flat = points.reshape(-1, 3).astype(np.float64)
        flat -= flat.mean(0)
        spread = np.sqrt((flat**2).sum(1).mean()) or 1.0
        places = np.concatenate([flat / (BIN * spread), colours.reshape(-1, 3) / COLOUR_BIN], axis=1)
        bins, counts = [], []
        for shift in np.random.default_rng(SEED).random((GRIDS, places.shape[1])):
            cells = np.floor(places + shift).astype(np.int32)
            _, numbers, count = np.unique(_keys(cells), return_inverse=True, return_counts=True)
            bins.append(numbers.astype(np.int32))
            counts.append(count)
        return cls(np.stack(bins), tuple(counts))

    @property
    def nbytes(self) -> int:
        """Counts the bytes of its arrays."""
        return self.bins.nbytes + sum(count.nbytes for count in self.counts)

    def fused(self, logits: np.ndarray) -> np.ndarray:
        """Returns logits after the average over all views.

        Args:
            logits: float32 [O, N, h, w] of any size; above SIDE, what changes is spread over h × w.

        Returns:
            float32 [O, N, h, w].
        """
        result = np.empty_like(logits)
        for number, own in enumerate(np.tanh(logits / CERTAIN)):
            small = _resized(own, SIDE, SIDE, cv2.INTER_AREA)
            total = np.zeros(small.size)
            for bins, counts in zip(self.bins, self.counts, strict=True):
                total += (np.bincount(bins, small.reshape(-1), len(counts)) / counts)[bins]
            change = (total / GRIDS).reshape(small.shape).astype(np.float32) - small
            height, width = own.shape[1:]
            fused = own + _resized(change, height, width, cv2.INTER_LINEAR)
            result[number] = CERTAIN * np.arctanh(fused.clip(-LARGEST, LARGEST))
        return result


def grid_bytes(views: int) -> int:
    """Returns the bytes that the grid of so many views takes at most: every bin with a single cell."""
    return views * SIDE**2 * GRIDS * (4 + 8)


def colours_of(photograph: np.ndarray) -> np.ndarray:
    """Returns a photograph, uint8 [h, w, 3], as float32 [SIDE, SIDE, 3] in 0 to 1, stretched to a square."""
    return cv2.resize(photograph, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _keys(cells: np.ndarray) -> np.ndarray:
    """One number for each row of int32 [cells, axes]; points far away share the outermost bins."""
    low = cells.min(0)
    sides = np.minimum(cells.max(0) - low + 1, 1 << 10).astype(np.int64)
    return np.ravel_multi_index(np.minimum(cells - low, sides - 1).T, tuple(sides))


def _resized(maps: np.ndarray, height: int, width: int, interpolation: int) -> np.ndarray:
    if maps.shape[1:] == (height, width):
        return maps
    return np.stack([cv2.resize(each, (width, height), interpolation=interpolation) for each in maps])
