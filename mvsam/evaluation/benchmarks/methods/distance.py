"""A ball around the clicks: what geometry alone gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mvsam.evaluation.alignment import spread
from mvsam.evaluation.baselines import to_nearest
from mvsam.evaluation.benchmarks.methods.answers import prompts_of
from mvsam.evaluation.benchmarks.scenes import Click
from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam.pipeline.frames import Frame, click_pixels
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
        geometry, prompts = self.pointmaps.geometry, prompts_of([click for click in clicks if click.positive])
        height, width = geometry.valid.shape[1:]
        frames = [Frame(size, (0.0, 0.0, float(width), float(height))) for size in self.sizes]
        rows, columns = click_pixels(prompts, frames)
        clicked = geometry.points[prompts.point_views[0], rows[0], columns[0]]
        reach = self.radius * spread(geometry.points[geometry.valid])
        marked = geometry.valid & (to_nearest(geometry.points, clicked) <= reach)
        return [
            cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT) > 0
            for mask, (height, width) in zip(marked, self.sizes, strict=True)
        ]

    def close(self) -> None:
        """Nothing is kept elsewhere."""
