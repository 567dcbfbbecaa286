"""What is kept of a scene between clicks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mvsam.pipeline.bilateral_grid import BilateralGrid
from mvsam.pipeline.normalization import NormalizedScene
from mvsam.pipeline.preprocessing import Layout
from mvsam.runtime.segmenter import Rows


@dataclass(frozen=True, eq=False)
class Scene:
    """An encoded scene of N views; never changed, so that whoever holds one may go on with it.

    Attributes:
        photographs: N encoded files, kept for the day when one is added or removed.
        layout: of the photographs in their pointmaps.
        normalized: geometry, statistics and grid.
        has_own_geometry: whether the user brought the pointmaps.
        camera_poses: float32 [N, 4, 4]; None with the user's own geometry.
        image_embedding: [N, 256, E, E], from which the decoder's embedding is made anew when the geometry changes.
        grid: in which logits of all views are averaged; None where they are not.
        features: what the decoder takes of the scene, by name, N rows each, where the decoder wants them.
    """

    photographs: tuple[bytes, ...]
    layout: Layout
    normalized: NormalizedScene
    has_own_geometry: bool
    camera_poses: np.ndarray | None
    image_embedding: np.ndarray
    grid: BilateralGrid | None
    features: Mapping[str, Rows]

    @property
    def views(self) -> int:
        """N."""
        return len(self.photographs)

    @cached_property
    def largest(self) -> int:
        """Pixels of the largest photograph."""
        return int(self.layout.image_sizes.astype(np.int64).prod(axis=1).max())

    @cached_property
    def digests(self) -> np.ndarray:
        """SHA-256 of each photograph's file, object [N] of 64 hexadecimal digits."""
        return np.array([hashlib.sha256(each).hexdigest().encode() for each in self.photographs], object)

    @property
    def bytes(self) -> int:
        """Of memory that go with the scene."""
        known, geometry = self.normalized, self.normalized.geometry
        arrays = [geometry.points, geometry.confidence, geometry.valid, known.low]
        arrays += [known.grid_points, known.grid_low_confidence, self.image_embedding]
        kept = [*arrays, *self.features.values()]
        fusion = 0 if self.grid is None else self.grid.nbytes
        return sum(map(len, self.photographs)) + sum(array.nbytes for array in kept) + fusion
