"""A place of which every point is known, a ball on a floor under a dome, and cameras around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from mvsam.evaluation.geometry.pointmaps import Pointmaps

BALL, RADIUS, DOME = np.array([0.2, -0.1, 0.8]), 0.8, 7.0
SCALE, TURN, SHIFT = 0.37, Rotation.from_euler("xyz", [20, -35, 110], degrees=True).as_matrix(), np.array([2.0, -1, 3])


@dataclass(frozen=True, eq=False)
class View:
    """A camera with its principal point in the middle.

    Attributes:
        size: (height, width) of its photograph.
        focal: in pixels of the photograph.
        pose: camera to world, OpenCV axes.
    """

    size: tuple[int, int]
    focal: float
    pose: np.ndarray

    def intrinsics(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """With the first pixel's centre at (0.5, 0.5), of the photograph stretched to a size."""
        height, width = size or self.size
        fx, fy = self.focal * width / self.size[1], self.focal * height / self.size[0]
        return np.array([[fx, 0, width / 2], [0, fy, height / 2], [0, 0, 1]])

    def depth(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """Exact depth at pixels' centres of the photograph stretched to a size."""
        rays = self._rays(size or self.size)
        return _reached(self.pose[:3, 3], rays)

    def points(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """Likewise."""
        rays = self._rays(size or self.size)
        return self.pose[:3, 3] + rays * _reached(self.pose[:3, 3], rays)[..., None]

    def _rays(self, size: tuple[int, int]) -> np.ndarray:
        lens = self.intrinsics(size)
        v, u = np.mgrid[: size[0], : size[1]] + 0.5
        local = np.stack([(u - lens[0, 2]) / lens[0, 0], (v - lens[1, 2]) / lens[1, 1], np.ones_like(u)], axis=-1)
        return local @ self.pose[:3, :3].T

    @property
    def photograph(self) -> bytes:
        """Grey all over: neither black nor white."""
        return cv2.imencode(".png", np.full((*self.size, 3), 90, np.uint8))[1].tobytes()


def views(*sizes: tuple[int, int]) -> list[View]:
    """On an arc around the ball, each with another focal length."""
    found = []
    for index, size in enumerate(sizes):
        angle = 0.5 * index
        position = np.array([4 * np.cos(angle), 4 * np.sin(angle), 1.3 + 0.3 * index])
        forward = np.array([0, 0, 0.7]) - position
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3] = np.stack([right, np.cross(forward, right), forward, position], axis=1)
        found.append(View(size, (0.9 + 0.1 * index) * max(size), pose))
    return found


def _reached(origin: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """How many times a ray it is to what it meets first."""
    floor = np.where(rays[..., 2] < 0, -origin[2] / np.minimum(rays[..., 2], -1e-9), np.inf)
    ball = _sphere(origin - BALL, rays, RADIUS, -1)
    dome = _sphere(origin, rays, DOME, 1)
    return np.minimum(np.minimum(floor, np.where(ball > 0, ball, np.inf)), dome)


def _sphere(origin: np.ndarray, rays: np.ndarray, radius: float, side: int) -> np.ndarray:
    a, b, c = (rays**2).sum(-1), rays @ origin, origin @ origin - radius**2
    inside = b**2 - a * c
    return np.where(inside > 0, (-b + side * np.sqrt(np.maximum(inside, 0))) / a, np.inf)


def off_surface(points: np.ndarray) -> np.ndarray:
    """Distance of points [..., 3] from the nearest thing of the place."""
    distances = [
        np.abs(points[..., 2]),
        np.abs(np.linalg.norm(points - BALL, axis=-1) - RADIUS),
        np.abs(np.linalg.norm(points, axis=-1) - DOME),
    ]
    return np.min(distances, axis=0)


def moved(points: np.ndarray) -> np.ndarray:
    """Points [..., 3] in a frame and a scale of a network's own."""
    return SCALE * points @ TURN.T + SHIFT


def moved_pose(pose: np.ndarray) -> np.ndarray:
    """A camera there."""
    there = np.eye(4)
    there[:3, :3], there[:3, 3] = TURN @ pose[:3, :3], moved(pose[:3, 3])
    return there


def restored(points: np.ndarray) -> np.ndarray:
    """Points of that frame in the place's own."""
    return (points.astype(np.float64) - SHIFT) @ TURN / SCALE


def misses(pointmaps: Pointmaps) -> np.ndarray:
    """Pixels [N, H, W] between each point, seen by its view's camera, and the centre of its pixel."""
    geometry, poses, lenses = pointmaps.geometry, pointmaps.camera_poses, pointmaps.intrinsics
    assert poses is not None and lenses is not None
    v, u = np.mgrid[: geometry.valid.shape[1], : geometry.valid.shape[2]] + 0.5
    found = np.empty(geometry.valid.shape)
    for view, (points, pose, lens) in enumerate(zip(geometry.points, poses, lenses, strict=True)):
        seen = (points - pose[:3, 3]).astype(np.float64) @ pose[:3, :3] @ lens.T
        assert (seen[geometry.valid[view], 2] > 0).all(), "in front of the camera"
        found[view] = np.hypot(seen[..., 0] / seen[..., 2] - u, seen[..., 1] / seen[..., 2] - v)
    return found


def rectangle(differs: np.ndarray) -> tuple[int, int, int, int]:
    """(x, y, w, h) of the pixels [H, W] of a picture in padding."""
    rows, columns = np.flatnonzero(differs.any(1)), np.flatnonzero(differs.any(0))
    return int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


def photographs(taken: Sequence[View]) -> list[bytes]:
    """Their files."""
    return [view.photograph for view in taken]
