"""What sources of geometry give."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvsam.pipeline.request import Geometry


class GeometryError(ValueError):
    """There is no geometry of these photographs; the message says why, and the remedy."""


@dataclass(frozen=True, eq=False)
class Pointmaps:
    """Geometry of N views, each pointmap covering its whole photograph.

    Attributes:
        geometry: points, confidence, validity.
        camera_poses: float32 [N, 4, 4], camera to world, OpenCV axes; None where they are not known.
        intrinsics: float32 [N, 3, 3] in pixels of the pointmaps, the centre of the first pixel at (0.5, 0.5); likewise.
    """

    geometry: Geometry
    camera_poses: np.ndarray | None = None
    intrinsics: np.ndarray | None = None

    def of_views(self, views: Sequence[int]) -> "Pointmaps":
        """Those of some views, in that order."""
        chosen = list(views)
        return Pointmaps(
            self.geometry.of_views(chosen),
            None if self.camera_poses is None else self.camera_poses[chosen],
            None if self.intrinsics is None else self.intrinsics[chosen],
        )
