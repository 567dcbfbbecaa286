"""Cameras, cloud and wall are where they belong, whatever the server's frame."""

import numpy as np
import pytest

from mvsam_client.viewer.cameras import cameras
from mvsam_client.viewer.exhibit import Exhibit
from mvsam_client.viewer.pinhole import focal, in_camera
from mvsam_client.viewer.placement import Placement
from mvsam_client.viewer.wall import BEHIND, Wall
from tests.clients.viewer import toy

EXTRA = toy.extra()
MAPS, POSES = EXTRA["points"], EXTRA["camera_poses"]
ALL = np.ones(toy.MAP, bool)


def test_the_focal_length_is_found_from_points_alone() -> None:
    for view in range(toy.VIEWS):
        assert focal(in_camera(MAPS[view], POSES[view]), ALL) == pytest.approx(toy.FOCAL, rel=1e-4)


def test_wild_points_do_not_spoil_the_focal_length() -> None:
    points = in_camera(MAPS[0], POSES[0]).copy()
    rng = np.random.default_rng(0)
    wild = rng.random(toy.MAP) < 0.1
    points[wild] = rng.normal(0, 30, (int(wild.sum()), 3))
    points[0, 0] = np.nan
    assert focal(points, ALL) == pytest.approx(toy.FOCAL, rel=0.02)


def test_without_a_usable_point_there_is_a_focal_length_all_the_same() -> None:
    assert focal(np.full((*toy.MAP, 3), np.nan), ALL) == max(toy.MAP)
    assert focal(-np.ones((*toy.MAP, 3)), ALL) == max(toy.MAP)


def test_the_scene_stands_upright_in_the_middle_and_is_of_unit_size() -> None:
    placement = Placement.of(MAPS.reshape(-1, 3), POSES)
    np.testing.assert_allclose(placement.rotation @ placement.rotation.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(placement.rotation) == pytest.approx(1)
    # World z is up on the page, and what is farther away in the world is farther away on the page.
    up = placement.rotation @ toy.SKEW @ [0, 0, 1]
    ahead = placement.rotation @ toy.SKEW @ [0, 1, 0]
    assert up[2] > 0.99 and ahead[1] > 0.99
    points = placement.points(MAPS.reshape(-1, 3))
    assert np.mean(np.linalg.norm(points, axis=1) <= 1) == pytest.approx(0.5, abs=0.01)
    assert np.abs(np.median(points, axis=0)).max() < 1e-5


def test_cameras_all_around_and_upside_down_have_a_placement_too() -> None:
    around = np.stack([np.eye(4)] * 4)
    for index, pose in enumerate(around):
        angle = np.pi / 2 * index
        pose[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    opposed = around.copy()
    opposed[::2, :3, :3] *= [1, -1, -1]
    for poses in (around, opposed):
        rotation = Placement.of(np.random.default_rng(0).normal(size=(50, 3)), poses).rotation
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
        assert np.linalg.det(rotation) == pytest.approx(1)


def test_each_photograph_covers_what_its_camera_sees() -> None:
    """From the camera, every point of the cloud lies behind its own pixel of the photograph before it."""
    placement = Placement.of(MAPS.reshape(-1, 3), POSES)
    certainty = np.ones(MAPS.shape[:3], np.float32)
    placed = cameras(MAPS, certainty, POSES, EXTRA["GEOMETRY_RECTS"], [toy.PHOTOGRAPH] * toy.VIEWS, placement)
    for view, camera in enumerate(placed):
        for row, column in [(0, 0), (41, 0), (3, 50), (21, 28)]:
            x, y = (column + 0.5) * 5 - 0.5, (row + 0.5) * 5 - 0.5
            towards = placement.points(MAPS[view, row, column]) - camera.position
            before = camera.panel.at(x, y) - camera.position
            cosine = towards @ before / np.linalg.norm(towards) / np.linalg.norm(before)
            assert cosine == pytest.approx(1, abs=1e-6)
        middle = camera.panel.at(toy.PHOTOGRAPH[1] / 2 - 0.5, toy.PHOTOGRAPH[0] / 2 - 0.5)
        assert np.linalg.norm(middle - camera.position) == pytest.approx(camera.distance)


def test_a_letterboxed_photograph_is_no_wider_than_its_part_of_the_frame() -> None:
    placement = Placement.of(MAPS.reshape(-1, 3), POSES)
    rects = EXTRA["GEOMETRY_RECTS"].copy()
    rects[1] = (14, 0, 28, 42)
    sizes = [toy.PHOTOGRAPH, (300, 200), *[toy.PHOTOGRAPH] * 4]
    whole, half, *_ = cameras(MAPS, np.ones(MAPS.shape[:3], np.float32), POSES, rects, sizes, placement)
    assert half.slopes[0] == pytest.approx(whole.slopes[0] / 2, rel=1e-3)
    assert half.slopes[1] == pytest.approx(whole.slopes[1], rel=1e-3)


@pytest.mark.parametrize("count", [1, 2, 5, 8, 37, 100])
def test_photographs_on_the_wall_keep_their_shape_and_do_not_overlap(count: int) -> None:
    sizes = [[(480, 640), (640, 480), (500, 500), (300, 900)][view % 4] for view in range(count)]
    wall = Wall.of(sizes, -1.5, -2.0)
    board, boxes = wall.board, []
    assert board.far_corner[0] == pytest.approx(-1.5)
    for panel, (height, width) in zip(wall.photographs, sizes, strict=True):
        right, down = np.linalg.norm(panel.right), np.linalg.norm(panel.down)
        assert right / down == pytest.approx(width / height)
        low, high = panel.corner + panel.down, panel.corner + panel.right
        assert panel.corner[1] == -2.0 < board.corner[1], "the board is behind them"
        assert board.corner[0] <= low[0] and high[0] <= board.far_corner[0]
        assert board.far_corner[2] <= low[2] and high[2] <= board.corner[2]
        boxes.append((low[0], high[0], low[2], high[2]))
    for index, (left, right, bottom, top) in enumerate(boxes):
        for other in boxes[:index]:
            assert right <= other[0] or other[1] <= left or top <= other[2] or other[3] <= bottom


def test_neither_the_cloud_nor_a_camera_stands_before_the_wall(exhibit: Exhibit) -> None:
    front = exhibit.wall.board.corner[1]
    assert np.mean(exhibit.positions[:, 1] < front) <= 0.01
    for camera in exhibit.cameras:
        assert camera.position[1] >= front - BEHIND and camera.position[0] > exhibit.wall.board.far_corner[0]
