"""Depth and cameras give the exact points, and views of any sizes come together without inventing points."""

import numpy as np
import pytest

from mvsam.evaluation.geometry.cameras import camera_to_world, is_pose
from mvsam.evaluation.geometry.depth import common_size, cut, resampled, unprojected
from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam.pipeline.limits import Limits
from mvsam.synthetic.scene import Split, sample_scene
from tests.unit.evaluation.geometry.exact import View, misses, off_surface, views


def of_view(view: View) -> Pointmaps:
    depth = view.depth()[None]
    return unprojected(depth, np.ones(depth.shape, bool), view.intrinsics()[None], view.pose[None])


def test_depth_of_a_synthetic_scene_gives_its_points() -> None:
    scene = sample_scene(3, Split.TEST, views=3, height=40, width=56)
    found = unprojected(scene.depth, scene.valid, scene.intrinsics, scene.camera_poses)
    scale = np.abs(scene.points).max()
    np.testing.assert_allclose(found.geometry.points, scene.points, atol=1e-5 * scale)
    assert found.geometry.valid.all() and np.ptp(found.geometry.confidence) == 0


def test_what_is_no_depth_is_invalid_and_changes_nothing_else() -> None:
    (view,) = views((30, 40))
    depth, valid = view.depth()[None].copy(), np.ones((1, 30, 40), bool)
    depth[0, 0, :5] = [0, -1, np.nan, np.inf, -np.inf]
    valid[0, 1, 0] = False
    found = unprojected(depth, valid, view.intrinsics()[None], view.pose[None]).geometry
    expected = np.ones((1, 30, 40), bool)
    expected[0, 0, :5] = expected[0, 1, 0] = False
    assert np.array_equal(found.valid, expected)
    np.testing.assert_allclose(found.points[expected], view.points()[None][expected], atol=1e-5)


@pytest.mark.parametrize("size", [(30, 40), (45, 80), (20, 21)])
def test_views_of_other_sizes_keep_their_points_under_their_pixels(size: tuple[int, int]) -> None:
    taken = views((30, 40), (40, 30), (24, 50))
    found = resampled(map(of_view, taken), size)
    assert found.geometry.points.shape == (3, *size, 3)
    assert off_surface(found.geometry.points).max() < 1e-4, "no point that is not in the scene"
    for missed, view in zip(misses(found), taken, strict=True):
        half = 0.5 * size[0] / view.size[0], 0.5 * size[1] / view.size[1]
        assert missed.max() < np.hypot(half[0], half[1]) + 1e-3


def test_an_unknown_camera_leaves_cameras_unknown() -> None:
    known, other = map(of_view, views((30, 40), (30, 40)))
    found = resampled([known, Pointmaps(other.geometry)], (30, 40))
    assert found.camera_poses is None and found.intrinsics is None


def test_cut_moves_the_principal_point_along() -> None:
    (view,) = views((30, 40))
    found = cut(of_view(view), (7, 4, 20, 11))
    np.testing.assert_array_equal(found.geometry.points[0], of_view(view).geometry.points[0, 4:15, 7:27])
    assert misses(found).max() < 1e-3


def test_common_size_loses_nothing_until_the_service_would_refuse() -> None:
    assert common_size([(30, 40), (40, 20)]) == (40, 40)
    height, width = common_size([(2000, 3000), (1000, 100)])
    assert 0.99 * Limits.max_geometry_pixels < height * width <= Limits.max_geometry_pixels
    assert width / height == pytest.approx(1.5, rel=0.01)


def test_world_to_camera_is_inverted() -> None:
    poses = np.stack([view.pose for view in views((30, 40), (30, 40))])
    inverse = np.linalg.inv(poses)
    np.testing.assert_allclose(camera_to_world(inverse[:, :3, :3], inverse[:, :3, 3]), poses, atol=1e-12)
    assert is_pose(poses[0]) and not is_pose(np.diag([1.0, -1, 1, 1])) and not is_pose(np.diag([2.0, 2, 2, 1]))
