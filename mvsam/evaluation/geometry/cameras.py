"""Pinhole cameras from one convention to another."""

from collections.abc import Sequence

import numpy as np

TOLERANCE = 1e-3  # of a rotation's orthogonality, as files with a few digits have it


def camera_to_world(rotations: np.ndarray, translations: np.ndarray) -> np.ndarray:
    """Poses [N, 4, 4] out of world-to-camera rotations [N, 3, 3] and translations [N, 3]: float64."""
    poses = np.tile(np.eye(4), (len(rotations), 1, 1))
    poses[:, :3, :3] = rotations.transpose(0, 2, 1)
    poses[:, :3, 3] = -np.einsum("nji,nj->ni", rotations, translations)
    return poses


def projected(poses: np.ndarray, intrinsics: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points in every view, as column times depth, row times depth, and depth.

    Args:
        poses: camera to world, [N, 4, 4].
        intrinsics: [N, 3, 3].
        points: of the world, [Q, 3].

    Returns:
        float64 [N, Q, 3]; a depth of 0 or less is not before the camera.
    """
    rotations, centres = poses[:, :3, :3].astype(np.float64), poses[:, None, :3, 3]
    return (points - centres) @ rotations @ intrinsics.swapaxes(1, 2)


def is_pose(matrix: np.ndarray) -> bool:
    """Whether a matrix is a rigid motion [4, 4], without scale or reflection."""
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or not np.array_equal(matrix[3], [0, 0, 0, 1]):
        return False
    rotation = matrix[:3, :3]
    return bool(np.abs(rotation @ rotation.T - np.eye(3)).max() < TOLERANCE and np.linalg.det(rotation) > 0)


def is_intrinsics(matrix: np.ndarray) -> bool:
    """Whether a matrix is a pinhole camera's [3, 3]: positive focal lengths, no skew."""
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or matrix[0, 0] <= 0 or matrix[1, 1] <= 0:
        return False
    return not (matrix[0, 1] or matrix[1, 0]) and np.array_equal(matrix[2], [0, 0, 1])


def from_integer_centres(intrinsics: np.ndarray) -> np.ndarray:
    """Intrinsics [..., 3, 3] with the first pixel's centre at (0.5, 0.5) out of such with it at (0, 0), OpenCV's."""
    moved = np.array(intrinsics, np.float64)
    moved[..., :2, 2] += 0.5
    return moved


def at_size(intrinsics: np.ndarray, size: Sequence[int], other: Sequence[int]) -> np.ndarray:
    """Intrinsics [..., 3, 3] of a picture (height, width) after it was stretched to another size.

    The first pixel's centre is at (0.5, 0.5) before and after.
    """
    (height, width), (new_height, new_width) = size, other
    return np.diag([new_width / width, new_height / height, 1.0]) @ intrinsics
