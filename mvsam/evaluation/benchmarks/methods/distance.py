"""A ball around the clicks: what geometry alone gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mvsam.evaluation.benchmarks.scenes import Click, Pointmaps
from mvsam.pipeline.frames import Frame
from mvsam.pipeline.headers import read_header

# Relative to the scene's spread: the radius with the highest mean IoU on 40 synthetic training scenes, as
# `make evaluate-demo` finds it for ten clicks.
RADIUS = 0.08


@dataclass(frozen=True)
class Distance:
    """Marks the pixels whose points are near that of a positive click.

    Attributes:
        name: as tables call it.
        radius: in root mean square distances of the scene's points from their mean.
    """

    name: str
    radius: float = RADIUS
    needs_geometry: bool = True

    def prepare(self, photographs: Sequence[bytes], pointmaps: Pointmaps | None) -> "PreparedDistance":
        """Takes the pointmaps; see `Method`.

        Raises:
            ValueError: there are none.
        """
        if pointmaps is None:
            raise ValueError(f"{self.name} needs pointmaps; choose a geometry")
        sizes = [read_header(data, f"view {view}").size for view, data in enumerate(photographs)]
        return PreparedDistance(pointmaps, sizes, self.radius)


@dataclass(frozen=True)
class PreparedDistance:
    """A scene's points."""

    pointmaps: Pointmaps
    sizes: Sequence[tuple[int, int]]
    radius: float

    def masks(self, clicks: Sequence[Click]) -> list[np.ndarray]:
        """See `Prepared`."""
        geometry = self.pointmaps.geometry
        points = geometry.points[geometry.valid].astype(np.float64)
        spread = np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean())
        marked = geometry.valid & (self._distance(clicks) <= self.radius * spread)
        return [
            cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT) > 0
            for mask, (height, width) in zip(marked, self.sizes, strict=True)
        ]

    def close(self) -> None:
        """Nothing is kept elsewhere."""

    def _distance(self, clicks: Sequence[Click]) -> np.ndarray:
        """From each pixel's point to the nearest positive click: float [N, H, W], infinite where there are none."""
        geometry = self.pointmaps.geometry
        height, width = geometry.valid.shape[1:]
        distance = np.full(geometry.valid.shape, np.inf)
        for click in clicks:
            if click.positive:
                frame = Frame(self.sizes[click.view], (0.0, 0.0, float(width), float(height)))
                row, column = frame.geometry_pixels(np.array([click.x, click.y]))
                clicked = geometry.points[click.view, row, column]
                np.minimum(distance, np.linalg.norm(geometry.points - clicked, axis=-1), out=distance)
        return distance
