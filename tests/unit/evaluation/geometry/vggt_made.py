"""VGGT's outputs for a place of which every point is known, in its conventions."""

import numpy as np
from scipy.spatial.transform import Rotation

from tests.unit.evaluation.geometry.exact import SCALE, View, moved_pose, rectangle

NONSENSE = 1e6  # confidence of what is seen in padding


def encoded(rotation: np.ndarray, translation: np.ndarray, focals: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Nine numbers of a camera from world to camera, with focal lengths (x, y)."""
    fields = [2 * np.arctan(side / 2 / focal) for side, focal in zip(size, focals[::-1], strict=True)]
    return np.array([*translation, *Rotation.from_matrix(rotation).as_quat(), *fields])


def outputs(images: np.ndarray, taken: list[View]) -> dict[str, np.ndarray]:
    """Exact depth wherever a picture is not white, and nonsense elsewhere; confidence falls from top to bottom."""
    assert images.shape[:3] == (1, len(taken), 3) and images.dtype == np.float32
    assert 0 <= images.min() <= images.max() <= 1
    side = images.shape[-1]
    depth = np.full((1, len(taken), side, side, 1), 123.0, np.float32)
    confidence = np.full((1, len(taken), side, side), NONSENSE, np.float32)
    encoding = np.empty((1, len(taken), 9), np.float32)
    for view, (image, camera) in enumerate(zip(images[0], taken, strict=True)):
        left, top, width, height = rectangle((image < 0.999).any(0))
        inside = (0, view, slice(top, top + height), slice(left, left + width))
        depth[inside] = SCALE * camera.depth((height, width))[..., None]
        confidence[inside] = 1 + np.exp(-np.arange(height) / 10)[:, None]
        inverse, lens = np.linalg.inv(moved_pose(camera.pose)), camera.intrinsics((height, width))
        encoding[0, view] = encoded(inverse[:3, :3], inverse[:3, 3], lens[[0, 1], [0, 1]], (side, side))
    return {"pose_enc": encoding, "depth": depth, "depth_conf": confidence}
