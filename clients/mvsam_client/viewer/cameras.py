"""The cameras on the page, each with its photograph in front of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvsam_client.viewer.picking import Panel
from mvsam_client.viewer.pinhole import focal, in_camera
from mvsam_client.viewer.placement import Placement

# Least and largest distance from a camera to its photograph; between them, this share of that to the next camera.
NEAREST, FARTHEST, SHARE = 0.12, 0.35, 0.7
SURER = 0.5  # the certainty of the points by which focal lengths are fitted


@dataclass(frozen=True, eq=False)
class Camera:
    """One view's.

    Attributes:
        panel: the photograph.
        rotation: [3, 3], to the page, OpenCV axes.
        position: [3].
        slopes: half the width and half the height of the photograph at distance 1.
        distance: from the camera to the photograph.
    """

    panel: Panel
    rotation: np.ndarray
    position: np.ndarray
    slopes: tuple[float, float]
    distance: float

    @classmethod
    def of(
        cls,
        view: int,
        size: tuple[int, int],
        pose: tuple[np.ndarray, np.ndarray],
        slopes: tuple[float, float],
        distance: float,
    ) -> "Camera":
        """From its pose on the page: rotation and position."""
        rotation, position = pose
        right, down = (2 * slope * distance * axis for slope, axis in zip(slopes, rotation.T, strict=False))
        corner = position + distance * rotation[:, 2] - right / 2 - down / 2
        return cls(Panel(view, corner, right, down, size), rotation, position, slopes, distance)

    @property
    def scale(self) -> float:
        """With which viser draws a frustum of these slopes and this distance: it keeps volumes equal."""
        across, up = self.slopes
        return self.distance * float(np.cbrt(across * up / 3))


def cameras(
    maps: np.ndarray,
    certainty: np.ndarray,
    poses: np.ndarray,
    rects: np.ndarray,
    sizes: Sequence[tuple[int, int]],
    placement: Placement,
) -> list[Camera]:
    """Of all views, their focal lengths fitted to their points.

    Args:
        maps: [N, H, W, 3].
        certainty: [N, H, W].
        poses: [N, 4, 4], to the server's frame.
        rects: [N, 4], the photographs in the pointmaps.
        sizes: (h, w) of the photographs.
        placement: from the server's frame to the page.
    """
    placed = [placement.pose(pose) for pose in poses]
    distance = _distance(np.stack([position for _, position in placed]))
    found = []
    for view, size in enumerate(sizes):
        # A view that is unsure as a whole is fitted by its own surer half.
        least = min(SURER, float(np.median(certainty[view])))
        length = focal(in_camera(maps[view], poses[view]), certainty[view] >= max(least, 0))
        slopes = (float(rects[view, 2]) / 2 / length, float(rects[view, 3]) / 2 / length)
        found.append(Camera.of(view, size, placed[view], slopes, distance))
    return found


def _distance(positions: np.ndarray) -> float:
    """From each camera to its photograph, so that neighbours do not hide one another."""
    if len(positions) == 1:
        return FARTHEST
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    return float(np.clip(SHARE * np.median(apart.min(axis=1)), NEAREST, FARTHEST))
