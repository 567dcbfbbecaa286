import numpy as np

from mvsam.pipeline.spreading import spread_pixels


def test_pixels_lie_in_the_region_are_distinct_and_always_the_same(rng):
    region = np.zeros((60, 80), bool)
    region[10:40, 20:70] = True
    region[20:30, 30:50] = False
    pixels = spread_pixels(region, 8)
    assert len({tuple(pixel) for pixel in pixels.tolist()}) == 8
    assert region[pixels[:, 0], pixels[:, 1]].all()
    np.testing.assert_array_equal(pixels, spread_pixels(region.copy(), 8))


def test_pixels_are_spread_and_keep_clear_of_the_edge():
    region = np.zeros((100, 100), bool)
    region[20:80, 20:80] = True
    pixels = spread_pixels(region, 8)
    assert pixels.min() >= 24 and pixels.max() <= 75
    distances = np.linalg.norm(pixels[:, None] - pixels[None], axis=2) + 1e3 * np.eye(8)
    assert distances.min() > 8


def test_a_small_region_gives_all_it_has():
    region = np.zeros((5, 5), bool)
    region[0, 0] = region[4, 4] = True
    assert sorted(spread_pixels(region, 8).tolist()) == [[0, 0], [4, 4]]
    assert spread_pixels(np.zeros((5, 5), bool), 8).shape == (0, 2)
