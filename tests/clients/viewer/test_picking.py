"""A click means the pixel that is seen under it."""

import numpy as np
import pytest

from mvsam_client.viewer.picking import REACH, Panel, Pixel, Ray, on_cloud, on_panel, pick, reach
from tests.clients.viewer.toy import turn

EYE = np.array([0.3, -4.0, 0.2])


@pytest.fixture
def panel() -> Panel:
    """Askew in space."""
    right, down, _ = turn(1)
    return Panel(3, np.array([-0.5, 0.4, 0.6]), 1.6 * right, 0.9 * down, (90, 160))


@pytest.mark.parametrize(("x", "y"), [(0, 0), (159, 0), (0, 89), (159, 89), (80, 45), (12.25, 70.5)])
def test_a_ray_through_a_pixel_finds_that_pixel(panel: Panel, x: float, y: float) -> None:
    target = panel.at(x, y)
    distance, pixel = on_panel(panel, Ray.of(EYE, 5 * (target - EYE))) or pytest.fail("missed")
    assert pixel.view == 3 and pixel[1:] == pytest.approx((x, y), abs=1e-6)
    assert distance == pytest.approx(np.linalg.norm(target - EYE))


@pytest.mark.parametrize(("x", "y"), [(-1, 10), (160, 10), (10, -1), (10, 90)])
def test_a_ray_beside_a_photograph_misses_it(panel: Panel, x: float, y: float) -> None:
    assert on_panel(panel, Ray.of(EYE, panel.at(x, y) - EYE)) is None


def test_at_its_edge_a_photograph_gives_no_pixel_that_it_has_not(panel: Panel) -> None:
    """The server refuses clicks outside photographs."""
    for x, y in [(-0.49, -0.49), (159.49, 89.49)]:
        _, pixel = on_panel(panel, Ray.of(EYE, panel.at(x, y) - EYE)) or pytest.fail("missed")
        assert 0 <= pixel.x <= 159 and 0 <= pixel.y <= 89


def test_what_is_behind_the_viewer_or_edge_on_is_not_hit(panel: Panel) -> None:
    towards = panel.at(50, 50) - EYE
    assert on_panel(panel, Ray.of(EYE, -towards)) is None
    assert on_panel(panel, Ray.of(panel.corner - panel.right, panel.right)) is None


def test_of_the_points_under_a_click_the_front_one_counts() -> None:
    points = np.array([[0, 5, 0], [0.001, 2, 0], [0, 8, 0], [1, 1, 0]], np.float32)
    assert on_cloud(points, Ray.of([0, 0, 0], [0, 1, 0]), 0.01) == (pytest.approx(2), 1)


def test_of_points_side_by_side_the_one_nearest_to_the_click_counts() -> None:
    xs = np.linspace(-1, 1, 201)
    surface = np.stack([xs, 3 + 0.3 * xs, np.zeros(201)], axis=1)
    for index in (20, 100, 171):
        hit = on_cloud(surface, Ray.of([0, 0, 0], surface[index]), 0.01)
        assert hit and hit[1] == index


def test_where_there_is_no_point_there_is_no_hit() -> None:
    points = np.array([[0, 5, 0]], np.float32)
    assert on_cloud(points, Ray.of([0, 0, 0], [0.1, 1, 0]), 0.01) is None
    assert on_cloud(points, Ray.of([0, 0, 0], [0, -1, 0]), 0.01) is None
    assert on_cloud(np.zeros((0, 3), np.float32), Ray.of([0, 0, 0], [0, 1, 0]), 0.01) is None


def test_a_click_reaches_so_many_pixels_whatever_the_window() -> None:
    """A point so many pixels aside, of a page 600 pixels high and 50° of view, is just within reach."""
    view = np.radians(50)
    aside = REACH * np.tan(view / 2) / 300
    for factor, is_hit in ((0.98, True), (1.02, False)):
        points = 10 * np.array([[factor * aside, 1, 0]])
        assert (on_cloud(points, Ray.of([0, 0, 0], [0, 1, 0]), reach(view, 600)) is not None) is is_hit


def test_photographs_hide_points_behind_them_and_not_those_before_them(panel: Panel) -> None:
    target = panel.at(20, 30)
    ray = Ray.of(EYE, target - EYE)
    behind, before = EYE + 1.5 * (target - EYE), EYE + 0.5 * (target - EYE)
    hit = pick(ray, [panel], [], behind[None], 0.01)
    assert isinstance(hit, Pixel) and hit.view == 3
    assert pick(ray, [panel], [], np.stack([behind, before]), 0.01) == 1
    assert pick(ray, [], [], behind[None], 0.01) == 0
    assert pick(Ray.of(EYE, -ray.direction), [panel], [], behind[None], 0.01) is None


def test_a_click_on_the_board_means_nothing_that_is_behind_it(panel: Panel) -> None:
    target = panel.at(20, 30)
    ray = Ray.of(EYE, target - EYE)
    behind, before = EYE + 1.5 * (target - EYE), EYE + 0.5 * (target - EYE)
    assert pick(ray, [], [panel], behind[None], 0.01) is None
    assert pick(ray, [], [panel], np.stack([behind, before]), 0.01) == 1
