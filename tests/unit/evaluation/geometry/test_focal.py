"""A focal length is found in exact points, and in points of which many are wrong."""

import numpy as np
import pytest

from mvsam.evaluation.geometry.focal import centred_intrinsics, fitted_focal
from mvsam.evaluation.pointmaps import local_points
from mvsam.synthetic.scene import Split, sample_scene
from tests.unit.evaluation.geometry.exact import View, views


def local(view: View, size: tuple[int, int]) -> np.ndarray:
    return (view.points(size) - view.pose[:3, 3]) @ view.pose[:3, :3]


@pytest.mark.parametrize("size", [(60, 80), (42, 56), (70, 70)])
@pytest.mark.parametrize("photograph", [(60, 80), (80, 60)])
def test_exact_points_give_the_exact_camera(photograph: tuple[int, int], size: tuple[int, int]) -> None:
    for view in views(photograph, photograph):
        focal = fitted_focal(local(view, size), np.ones(size, bool), photograph)
        assert focal is not None and focal == pytest.approx(view.focal, rel=1e-6)
        np.testing.assert_allclose(centred_intrinsics(focal, photograph, size), view.intrinsics(size), rtol=1e-5)


def test_a_third_of_wrong_points_does_little_harm() -> None:
    (view,), rng = views((60, 80)), np.random.default_rng(0)
    points = local(view, (60, 80)) * rng.normal(1, 0.02, (60, 80, 3))
    wrong = rng.random((60, 80)) < 1 / 3
    points[wrong] = rng.normal((0, 0, 4), 3, (int(wrong.sum()), 3))
    assert fitted_focal(points, np.ones((60, 80), bool), (60, 80)) == pytest.approx(view.focal, rel=0.02)


def test_the_middle_of_a_picture_is_outvoted_by_its_rim() -> None:
    (view,) = views((60, 80))
    points = local(view, (60, 80)).copy()
    middle = points[8:52, 10:70]
    assert middle.size > points.size / 2
    middle *= [2, 2, 1]
    assert fitted_focal(points, np.ones((60, 80), bool), (60, 80)) == pytest.approx(view.focal, rel=1e-6)


def test_points_that_are_invalid_or_not_numbers_do_not_count() -> None:
    (view,) = views((60, 80))
    points, valid = local(view, (60, 80)).copy(), np.ones((60, 80), bool)
    points[:40] *= [5, 5, 1]
    valid[:40] = False
    points[40:50, :20] = np.nan
    assert fitted_focal(points, valid, (60, 80)) == pytest.approx(view.focal, rel=1e-6)


def test_points_that_no_camera_sees_so_give_none() -> None:
    (view,) = views((60, 80))
    points, valid = local(view, (60, 80)), np.ones((60, 80), bool)
    assert fitted_focal(points * [-1, -1, 1], valid, (60, 80)) is None
    assert fitted_focal(-points, valid, (60, 80)) is None
    assert fitted_focal(points, ~valid, (60, 80)) is None


def test_a_principal_point_beside_the_middle_costs_a_few_per_cent() -> None:
    scene = sample_scene(3, Split.TEST, views=4, height=48, width=64)
    for points, lens in zip(local_points(scene.points, scene.camera_poses), scene.intrinsics, strict=True):
        assert fitted_focal(points, np.ones((48, 64), bool), (48, 64)) == pytest.approx(lens[0, 0], rel=0.03)
