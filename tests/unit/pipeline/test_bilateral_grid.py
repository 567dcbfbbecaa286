"""Views outvote one another where they show the same place in the same colour, whatever their order and scale."""

import numpy as np
import pytest

from mvsam.pipeline.bilateral_grid import SIDE, BilateralGrid, colours_of
from mvsam.pipeline.frames import Frame
from mvsam.pipeline.request import Geometry

VIEWS = 5
FRAMES = [Frame((SIDE, SIDE), (0.0, 0.0, float(SIDE), float(SIDE)))] * VIEWS


def plane(scale: float = 1.0) -> Geometry:
    """A slope that every view shows alike."""
    across, down = np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32))
    points = np.stack([across, down, across + down], -1) * np.float32(scale / SIDE)
    shape = (VIEWS, SIDE, SIDE)
    return Geometry(np.broadcast_to(points, (*shape, 3)).copy(), np.ones(shape, np.float32), np.ones(shape, bool))


def grey(views: int = VIEWS) -> np.ndarray:
    return np.full((views, SIDE, SIDE, 3), 0.5, np.float32)


def square() -> np.ndarray:
    """Logits in which one view of five has missed what the others show."""
    logits = np.full((1, VIEWS, SIDE, SIDE), -3.0, np.float32)
    logits[:, :4, 16:48, 16:48] = 3
    return logits


def test_most_views_outvote_one() -> None:
    fused = BilateralGrid.of(plane(), FRAMES, grey()).fused(square())
    assert (fused[0, 4, 24:40, 24:40] > 0).all()
    assert (fused[0, :, :8] < 0).all()


def test_another_colour_is_another_thing() -> None:
    colours = grey()
    colours[4] = (0.9, 0.1, 0.1)
    fused = BilateralGrid.of(plane(), FRAMES, colours).fused(square())
    assert (fused[0, 4] < 0).all()
    assert (fused[0, :4, 24:40, 24:40] > 0).all()


def test_neither_order_nor_scale_matters() -> None:
    rng = np.random.default_rng(0)
    geometry, colours = plane(), rng.random((VIEWS, SIDE, SIDE, 3), dtype=np.float32)
    logits = rng.normal(0, 3, (2, VIEWS, SIDE, SIDE)).astype(np.float32)
    fused = BilateralGrid.of(geometry, FRAMES, colours).fused(logits)
    order = rng.permutation(VIEWS)
    turned = BilateralGrid.of(geometry.of_views(order.tolist()), FRAMES, colours[order]).fused(logits[:, order])
    np.testing.assert_allclose(turned, fused[:, order], atol=1e-4)
    np.testing.assert_allclose(BilateralGrid.of(plane(64), FRAMES, colours).fused(logits), fused, atol=1e-4)


def test_what_all_views_agree_on_stays() -> None:
    logits = np.full((1, VIEWS, SIDE, SIDE), 2.0, np.float32)
    np.testing.assert_allclose(BilateralGrid.of(plane(), FRAMES, grey()).fused(logits), logits, atol=1e-3)


@pytest.mark.parametrize("side", [32, 128])
def test_logits_of_any_size(side: int) -> None:
    logits = np.repeat(np.repeat(square(), 2, 2), 2, 3)[:, :, :: 128 // side, :: 128 // side]
    fused = BilateralGrid.of(plane(), FRAMES, grey()).fused(np.ascontiguousarray(logits))
    middle = slice(3 * side // 8, 5 * side // 8)
    assert fused.shape == logits.shape
    assert (fused[0, 4, middle, middle] > 0).all()


def test_extreme_numbers_stay_finite() -> None:
    geometry = plane()
    geometry.points[0, 0, 0] = 1e30
    logits = square() * np.float32(1e6)
    assert np.isfinite(BilateralGrid.of(geometry, FRAMES, grey()).fused(logits)).all()
    flat = Geometry(np.zeros_like(geometry.points), geometry.confidence, geometry.valid)
    assert np.isfinite(BilateralGrid.of(flat, FRAMES, grey()).fused(square())).all()


def test_colours_are_those_of_the_photograph() -> None:
    photograph = np.zeros((90, 200, 3), np.uint8)
    photograph[:, 100:] = 255
    found = colours_of(photograph)
    assert found.shape == (SIDE, SIDE, 3)
    assert (found[:, : SIDE // 2 - 1] == 0).all() and (found[:, SIDE // 2 + 1 :] == 1).all()
