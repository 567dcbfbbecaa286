"""VGGT's encoding of a camera as nine numbers (absT_quaR_FoV)."""

import numpy as np
from scipy.spatial.transform import Rotation


def decoded_cameras(encoding: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cameras whose principal point is in the middle of the picture.

    Args:
        encoding: [N, 9]: translation (3) and quaternion (x, y, z, w) from world to camera, then the fields of view
            along the height and along the width, in radians.
        size: (height, width) of the picture.

    Returns:
        Rotations [N, 3, 3] and translations [N, 3] from world to camera, OpenCV axes, and intrinsics [N, 3, 3] in
        pixels with the first pixel's centre at (0.5, 0.5); all float64.

    Raises:
        ValueError: what is no finite number, no rotation or no field of view between 0 and π.
    """
    encoding = np.asarray(encoding, np.float64)
    fields = encoding[:, 7:9]
    if not np.isfinite(encoding).all() or (fields <= 0).any() or (fields >= np.pi).any():
        raise ValueError("a camera's numbers are not finite, or its field of view is not between 0 and 180 degrees")
    sides = np.array(size) / 2
    intrinsics = np.tile(np.eye(3), (len(encoding), 1, 1))
    intrinsics[:, [1, 0], [1, 0]] = sides / np.tan(fields / 2)
    intrinsics[:, [1, 0], 2] = sides
    return Rotation.from_quat(encoding[:, 3:7]).as_matrix(), encoding[:, :3], intrinsics
