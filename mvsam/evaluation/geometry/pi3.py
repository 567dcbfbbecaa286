"""π³'s pointmaps, as the service makes them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvsam.evaluation.geometry.depth import cut, resampled
from mvsam.evaluation.geometry.focal import centred_intrinsics, fitted_focal
from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam.evaluation.geometry.provider import check_views, decoded, sizes_of
from mvsam.pipeline.preprocessing import Layout
from mvsam.pipeline.request import Geometry
from mvsam.runtime.segmenter import Session


@dataclass(frozen=True)
class Pi3Provider:
    """A graph with π³'s inputs and outputs.

    Attributes:
        session: of any runtime.
        geometry_pixels: the most pixels of a view's pointmap.
        name: as tables call it.
    """

    session: Session
    geometry_pixels: int
    name: str = "π³"

    def pointmaps(self, photographs: Sequence[bytes]) -> Pointmaps:
        """At the size that π³ sees; a photograph that is laid in between black bars is cut out of them again.

        Intrinsics are fitted to the points, and None where those of a view fit no camera.

        Raises:
            GeometryError: photographs that are refused, or a view without a finite point.
        """
        layout = Layout.of(sizes_of(photographs), self.geometry_pixels)
        images = np.empty((len(photographs), 3, *layout.size), np.float32)
        for view, photograph in enumerate(decoded(photographs)):
            images[view] = layout.geometry_image(photograph, view)
        found = self.session.run({"images": images})
        points, confidence = found["points"], found["confidence"]
        finite = np.isfinite(points).all(axis=-1) & np.isfinite(confidence)
        geometry = Geometry.of(np.where(finite[..., None], points, 0), confidence, finite)
        whole = Pointmaps(geometry, np.asarray(found["camera_poses"], np.float32))
        parts = (_of_photograph(whole.of_views([view]), layout, view) for view in range(len(photographs)))
        return check_views(self.name, resampled(parts, layout.size))


def _of_photograph(view: Pointmaps, layout: Layout, index: int) -> Pointmaps:
    """One view without padding, with a camera."""
    left, top, width, height = (int(side) for side in layout.geometry_rects[index])
    inside = cut(view, (left, top, width, height))
    assert inside.camera_poses is not None
    pose = inside.camera_poses[0].astype(np.float64)
    local = (inside.geometry.points[0] - pose[:3, 3]) @ pose[:3, :3]
    photograph = int(layout.image_sizes[index, 0]), int(layout.image_sizes[index, 1])
    focal = fitted_focal(local, inside.geometry.valid[0], photograph)
    lens = None if focal is None else centred_intrinsics(focal, photograph, (height, width))[None]
    return Pointmaps(inside.geometry, inside.camera_poses, lens)
