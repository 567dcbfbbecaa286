"""VGGT's nine numbers and cameras are the same."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mvsam.evaluation.geometry.pose_encoding import decoded_cameras
from tests.unit.evaluation.geometry.vggt_made import encoded


def test_cameras_survive_the_round_trip() -> None:
    rng = np.random.default_rng(0)
    rotations = Rotation.from_quat(rng.normal(size=(50, 4))).as_matrix()
    translations, focals = rng.normal(0, 3, (50, 3)), rng.uniform(100, 900, (50, 2))
    encoding = np.stack([encoded(*each, (294, 518)) for each in zip(rotations, translations, focals, strict=True)])
    # Networks' quaternions are not of unit length.
    encoding[:, 3:7] *= rng.uniform(0.5, 2, (50, 1))
    r, t, lens = decoded_cameras(encoding, (294, 518))
    np.testing.assert_allclose(r, rotations, atol=1e-9)
    np.testing.assert_allclose(t, translations)
    np.testing.assert_allclose(lens[:, [0, 1], [0, 1]], focals)
    assert np.array_equal(lens[:, :2, 2], np.tile([259.0, 147.0], (50, 1)))


def test_a_known_camera() -> None:
    """A quarter turn about z: the world's x is the camera's y. 90 degrees across the height of 100."""
    half = np.sqrt(0.5)
    r, _, lens = decoded_cameras(np.array([[0, 0, 0, 0, 0, half, half, np.pi / 2, 2 * np.arctan(0.5)]]), (100, 60))
    np.testing.assert_allclose(r[0] @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(lens[0], [[60, 0, 30], [0, 50, 50], [0, 0, 1]])


@pytest.mark.parametrize("place, value", [(7, 0.0), (8, 3.2), (0, np.nan), (slice(3, 7), 0.0)])
def test_what_is_no_camera_is_refused(place: int | slice, value: float) -> None:
    encoding = np.array([[0, 0, 0, 0, 0, 0, 1, 1, 1.0]])
    encoding[0, place] = value
    with pytest.raises(ValueError, match=r"finite|norm"):
        decoded_cameras(encoding, (100, 60))
