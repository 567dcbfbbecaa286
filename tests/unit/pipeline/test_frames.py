import numpy as np
import pytest
from PIL import Image

from mvsam.pipeline.frames import Frame, geometry_image, geometry_size, photograph_rect, scene_size

LIMIT, PATCH = 255_000, 14


@pytest.mark.parametrize(
    ("photograph", "expected"),
    [
        ((1920, 1080), (672, 378)),
        ((4000, 3000), (574, 434)),
        ((3000, 2000), (616, 406)),
        ((800, 800), (504, 504)),
        ((1080, 1920), (378, 672)),
        ((64, 48), (574, 434)),
    ],
)
def test_follows_pi3s_size_rule(photograph, expected):
    width, height = photograph
    assert scene_size([(height, width)] * 3, LIMIT, PATCH) == expected[::-1]


@pytest.mark.parametrize("aspect", [1e-4, 0.01, 0.5, 1.0, 3.3, 100.0, 1e4])
@pytest.mark.parametrize("pixels", [196, 50_176, LIMIT])
def test_every_size_is_of_whole_patches_within_the_limit(aspect, pixels):
    height, width = geometry_size(aspect, pixels, PATCH)
    assert height % PATCH == width % PATCH == 0
    assert 0 < height * width <= pixels


def test_the_scenes_size_does_not_depend_on_the_order(rng):
    sizes = [(int(h), int(w)) for h, w in rng.integers(10, 4000, (9, 2))]
    for count in (8, 9):
        expected = scene_size(sizes[:count], LIMIT, PATCH)
        assert all(scene_size([sizes[i] for i in rng.permutation(count)], LIMIT, PATCH) == expected for _ in range(10))


def test_photographs_of_the_scenes_shape_fill_it_and_others_keep_their_aspect_centred():
    scene = scene_size([(1080, 1920), (720, 1280), (1920, 1080)], LIMIT, PATCH)
    assert scene == (378, 672)
    assert photograph_rect((720, 1280), scene, LIMIT, PATCH) == (0, 0, 672, 378)
    left, top, width, height = photograph_rect((1920, 1080), scene, LIMIT, PATCH)
    assert (top, height) == (0, 378)
    assert width == round(378 * 1080 / 1920)
    assert abs(left - (672 - width) / 2) <= 0.5


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (3, 2), (3000, 4000)])
def test_every_photograph_fits(size):
    left, top, width, height = photograph_rect(size, (378, 672), LIMIT, PATCH)
    assert left >= 0 and top >= 0 and width >= 1 and height >= 1
    assert left + width <= 672 and top + height <= 378


def test_the_geometry_image_is_lanczos_inside_and_black_around(rng):
    photograph = rng.integers(0, 256, (60, 40, 3), dtype=np.uint8)
    image = geometry_image(photograph, (5, 0, 20, 28), (28, 42))
    resized = np.asarray(Image.fromarray(photograph).resize((20, 28), Image.Resampling.LANCZOS), np.float32) / 255
    np.testing.assert_array_equal(image[:, :, 5:25], resized.transpose(2, 0, 1))
    assert image.dtype == np.float32
    assert not image[:, :, :5].any() and not image[:, :, 25:].any()


def test_photograph_pixels_map_to_the_pixel_that_shows_them():
    frame = Frame((100, 200), (10.0, 0.0, 50.0, 25.0))
    corners = np.array([[-0.5, -0.5], [0, 0], [199, 99], [199.49, 99.49], [100, 50]])
    rows, columns = frame.geometry_pixels(corners)
    assert columns.tolist() == [10, 10, 59, 59, 35]
    assert rows.tolist() == [0, 0, 24, 24, 12]


def test_a_pixel_of_an_unscaled_photograph_is_itself():
    frame = Frame((48, 64), (0.0, 0.0, 64.0, 48.0))
    x, y = np.meshgrid(np.arange(64), np.arange(48))
    rows, columns = frame.geometry_pixels(np.stack([x, y], axis=-1))
    np.testing.assert_array_equal(rows, y)
    np.testing.assert_array_equal(columns, x)


def test_grid_cells_are_sampled_at_their_centres_inside_the_photograph():
    rows, columns = Frame((10, 10), (8.0, 4.0, 16.0, 8.0)).grid_pixels(4)
    assert columns[0].tolist() == [10, 14, 18, 22]
    assert rows[:, 0].tolist() == [5, 7, 9, 11]
