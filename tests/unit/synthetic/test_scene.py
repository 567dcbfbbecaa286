"""What is said to be exactly true of a rendered scene is."""

import numpy as np
import pytest
import torch

from mvsam.synthetic.scene import BACKGROUND, ROOM, Scene, make_scene
from mvsam.synthetic.shapes import Box, Sphere


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene(11, views=3, height=90, width=120)


def test_same_seed_same_scene_other_seed_other_scene(scene: Scene) -> None:
    again, other = (make_scene(seed, views=3, height=90, width=120) for seed in (11, 12))
    assert np.array_equal(scene.images, again.images) and np.array_equal(scene.points, again.points)
    assert not np.array_equal(scene.objects, other.objects)


def test_points_project_onto_their_own_pixels(scene: Scene) -> None:
    v, u = np.mgrid[:90, :120] + 0.5
    for points, pose in zip(scene.points, scene.camera_poses, strict=True):
        camera = (points - pose[:3, 3]) @ pose[:3, :3]
        assert (camera[..., 2] > 0).all()
        projected = camera @ scene.intrinsics.T
        projected = projected[..., :2] / projected[..., 2:]
        assert np.abs(projected - np.stack([u, v], axis=-1)).max() < 1e-3


def test_points_of_an_object_agree_between_views(scene: Scene) -> None:
    for index in range(scene.objects.max() + 1):
        seen = [scene.points[view][scene.mask(index)[view]] for view in range(3)]
        low, high = (np.array([f(points, axis=0) for points in seen if len(points)]) for f in (np.min, np.max))
        assert (high.max(0) - low.min(0) < 1.3).all(), "one object is less than 1.3 m wide in all views together"


def test_background_is_the_room(scene: Scene) -> None:
    walls = scene.points[scene.objects == BACKGROUND]
    offset = np.abs(walls - np.array(ROOM.centre)) - np.array(ROOM.half)
    assert np.abs(offset.max(-1)).max() < 1e-4


def test_solids_are_met_where_geometry_says() -> None:
    origin = torch.tensor([[0.0, 0.0, 5.0], [0.0, 0.0, 5.0], [3.0, 0.0, 5.0]])
    down = torch.tensor([[0.0, 0.0, -1.0]]).expand(3, 3)
    ball, block = Sphere((0, 0, 1), 1.0), Box((0, 0, 0.5), (1, 2, 0.5), yaw=0.3)
    assert ball.hit(origin, down).distance.tolist() == pytest.approx([3, 3, float("inf")])
    assert block.hit(origin, down).distance.tolist() == pytest.approx([4, 4, float("inf")])
    assert torch.allclose(block.hit(origin, down).normal[0], torch.tensor([0.0, 0.0, 1.0]))
    inside = ROOM.hit(torch.zeros(1, 3) + 0.5, torch.tensor([[1.0, 0.0, 0.0]]))
    assert float(inside.distance) == pytest.approx(2.5)
