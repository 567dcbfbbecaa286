"""How the scene stands on the page: upright, in the middle and of unit size.

The server's frame is any: it has no up, and no unit. Photographs are mostly taken upright, so up is the mean of the
cameras' own.
"""

from dataclasses import dataclass

import numpy as np

# So large a share of the points lies within 1 of the middle: what is photographed rather than what is behind it.
NEAR = 0.5


@dataclass(frozen=True, eq=False)
class Placement:
    """A similarity: x right, y away from the viewer, z up; half of the points within 1 of the origin.

    Attributes:
        rotation: [3, 3], from the server's axes to the page's.
        centre: [3], the server's point that becomes the origin.
        scale: the page's units in one of the server's.
    """

    rotation: np.ndarray
    centre: np.ndarray
    scale: float

    @classmethod
    def of(cls, points: np.ndarray, poses: np.ndarray) -> "Placement":
        """Of a scene.

        Args:
            points: [n, 3], finite.
            poses: [N, 4, 4], cameras to scene, OpenCV axes.
        """
        up = _unit(-poses[:, :3, 1].mean(axis=0), np.array([0.0, -1.0, 0.0]))
        ahead = poses[:, :3, 2].mean(axis=0)
        # Cameras all around look nowhere on average: then any direction across will do.
        across = _unit(ahead - ahead @ up * up, np.cross(up, np.eye(3)[np.argmin(np.abs(up))]))
        rotation = np.stack([np.cross(across, up), across, up])
        centre = np.median(points @ rotation.T, axis=0) @ rotation
        radius = np.quantile(np.linalg.norm(points - centre, axis=1), NEAR)
        return cls(rotation, centre, float(1 / max(radius, 1e-9)))

    def points(self, points: np.ndarray) -> np.ndarray:
        """[..., 3] of the server as float32 [..., 3] of the page."""
        return ((points - self.centre) @ self.rotation.T * self.scale).astype(np.float32)

    def pose(self, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rotation [3, 3] and position [3] on the page of a camera, [4, 4] to the server's frame."""
        return self.rotation @ pose[:3, :3], self.points(pose[:3, 3]).astype(np.float64)


def _unit(vector: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-3 else otherwise / np.linalg.norm(otherwise)
