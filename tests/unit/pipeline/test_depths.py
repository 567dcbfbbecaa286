import numpy as np
import pytest

from mvsam.pipeline.depths import dominant_mode, estimate_depth

HEIGHT, WIDTH = 42, 56


def pointmap(depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a camera that sees this depth gives, in a frame turned, moved and scaled at random."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    local = np.stack([(columns - 30) / 50 * depth, (rows - 20) / 50 * depth, depth], axis=-1)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return (rng.uniform(0.1, 9) * local @ turn + rng.normal(size=3) * 5).astype(np.float32)


def relief(rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return 4 + np.sin(columns / 7) + 0.7 * np.cos(rows / 5)


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_depth_is_found_up_to_scale_in_any_frame(rng, noise):
    depth = relief(rng)
    for _ in range(5):
        points = pointmap(depth, rng)
        points += (noise * points.std() * rng.normal(size=points.shape)).astype(np.float32)
        estimate = estimate_depth(points, np.ones((HEIGHT, WIDTH), bool))
        assert estimate is not None
        ratio = estimate / depth
        assert np.abs(ratio / np.median(ratio) - 1).max() < (1e-4 if noise == 0 else 0.1)


def test_invalid_pixels_are_ignored_and_have_no_depth(rng):
    depth = relief(rng)
    points, valid = pointmap(depth, rng), rng.random((HEIGHT, WIDTH)) > 0.3
    points[~valid] = np.nan
    estimate = estimate_depth(points, valid)
    assert estimate is not None
    assert np.isnan(estimate[~valid]).all()
    ratio = estimate[valid] / depth[valid]
    assert np.ptp(ratio) < 1e-4 * ratio.mean()


def test_a_plane_determines_no_camera(rng):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    rays = np.stack([(columns - 30) / 50, (rows - 20) / 50, np.ones((HEIGHT, WIDTH))], axis=-1)
    for normal in ([0, 0, 1], [0.3, 0.2, 1]):
        assert estimate_depth(pointmap(3 / (rays @ normal), rng), np.ones((HEIGHT, WIDTH), bool)) is None


def test_points_that_are_all_the_same_or_few_determine_no_camera(rng):
    valid = np.ones((HEIGHT, WIDTH), bool)
    assert estimate_depth(np.ones((HEIGHT, WIDTH, 3), np.float32), valid) is None
    valid[:] = False
    valid[0, :5] = True
    assert estimate_depth(pointmap(relief(rng), rng), valid) is None


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_mode_is_the_surface_with_most_pixels(rng, scale):
    object_, background = rng.normal(2, 0.05, 600), rng.uniform(4, 9, 500)
    low, high = dominant_mode(scale * np.concatenate([object_, background]))
    assert 1.7 * scale < low < 2 * scale < high < 2.4 * scale


def test_a_single_surface_is_its_own_mode():
    for depth in (np.full(50, 3.0), 3 + 0.01 * np.sin(np.arange(50))):
        low, high = dominant_mode(depth)
        assert 2.7 < low <= depth.min() <= depth.max() <= high < 3.3
