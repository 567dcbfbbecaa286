"""A varied view stays one view: photograph, masks and points still belong together."""

import numpy as np
import pytest

from mvsam.pipeline.request import Geometry
from mvsam.pipeline.resizing import encoder_image
from mvsam.training.augmentation import Augmentation, View, augmented, cropped
from mvsam.training.layered_geometry import LayerSampling, layered_points
from mvsam.training.photograph_source import covering
from mvsam.training.placing import encoder_input

HEIGHT, WIDTH = 60, 80


def view(size: tuple[int, int] = (30, 40)) -> View:
    """A white square on grey; red and green, and the points, are the pixels' places."""
    photograph = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    masks = np.zeros((1, HEIGHT, WIDTH), bool)
    masks[0, 20:40, 30:50] = True
    photograph[masks[0]] = 255
    v, u = (np.mgrid[: size[0], : size[1]] + 0.5) / np.reshape(size, (2, 1, 1))
    points = np.stack([u, v, np.ones_like(u)], -1).astype(np.float32)[None]
    return View(photograph, masks, Geometry(points, np.ones(points.shape[:3], np.float32), np.ones((1, *size), bool)))


def square(found: View) -> np.ndarray:
    """Where the geometry says that the square is."""
    u, v = found.geometry.points[0, ..., 0], found.geometry.points[0, ..., 1]
    return (u >= 30 / WIDTH) & (u < 50 / WIDTH) & (v >= 20 / HEIGHT) & (v < 40 / HEIGHT)


@pytest.mark.parametrize("seed", range(12))
def test_mask_photograph_and_points_stay_together(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = augmented(view(), Augmentation(cropped=1.0, mirrored=0.5, light=0.0), rng)
    assert np.array_equal(found.photograph[..., 0] == 255, found.masks[0])
    height, width = found.masks.shape[1:]
    rows = (np.arange(30) + 0.5) * height / 30
    columns = (np.arange(40) + 0.5) * width / 40
    by_mask = found.masks[0][rows.astype(int)[:, None], columns.astype(int)]
    assert (by_mask == square(found)).mean() > 0.9  # nearest pixels differ at the square's border


def test_crops_give_an_object_every_size() -> None:
    rng, one = np.random.default_rng(0), np.ones((1, 4, 4), bool)
    large = View(np.kron(view().photograph, np.ones((4, 4, 1), np.uint8)), np.kron(view().masks, one), view().geometry)
    found = [augmented(large, Augmentation(cropped=1.0), rng).masks.mean() for _ in range(200)]
    assert min(found) < 0.1 and max(found) > 0.6


def test_a_whole_window_changes_nothing() -> None:
    whole = cropped(view(), (0, 0, HEIGHT, WIDTH))
    assert np.array_equal(whole.photograph, view().photograph) and np.array_equal(whole.masks, view().masks)
    assert np.array_equal(whole.geometry.points, view().geometry.points)


def test_light_changes_colours_only() -> None:
    found = augmented(view(), Augmentation(mirrored=0.0, light=0.3), np.random.default_rng(1))
    assert np.array_equal(found.masks, view().masks)
    assert found.photograph.dtype == np.uint8 and not np.array_equal(found.photograph, view().photograph)
    assert len(np.unique(found.photograph.reshape(-1, 3), axis=0)) == 2


def test_a_plain_background_leaves_the_object() -> None:
    found = augmented(view(), Augmentation(mirrored=0.0, light=0.0, plain=1.0), np.random.default_rng(2))
    assert (found.photograph[22:38, 32:48] == 255).all()
    assert len(np.unique(found.photograph[:10])) == 1


def test_layers_stand_before_what_is_behind_them() -> None:
    masks = np.zeros((1, 56, 56), bool)
    masks[0, 20:40, 20:36] = True
    sampling = LayerSampling(separate=1.0, split=0.0, strangers=0, slant=0.0, bulge=0.0, offset=0.5)
    nearer = 0
    for seed in range(20):
        points = layered_points(masks, (56, 56), sampling, np.random.default_rng(seed))
        assert points.shape == (56, 56, 3) and points.dtype == np.float32 and np.isfinite(points).all()
        assert (points[..., 2] > 0).all()
        nearer += points[20:40, 20:36, 2].mean() < points[20:40, :16, 2].mean()
    assert nearer >= 18


def test_layers_and_masks_do_not_always_agree() -> None:
    masks = np.zeros((1, 56, 56), bool)
    masks[0, 16:40, 16:40] = True
    steps = []
    for seed in range(60):
        depth = layered_points(masks, (56, 56), LayerSampling(), np.random.default_rng(seed))[..., 2]
        steps.append(np.median(np.abs(np.log(depth[18:38, 17] / depth[18:38, 14]))))
    assert 0.2 < np.mean(np.array(steps) > 0.05) < 0.8


def test_geometry_of_a_letterboxed_photograph_covers_it_afterwards() -> None:
    geometry = view().geometry
    found = covering(geometry, (10, 0, 20, 30))
    u = found.points[0, ..., 0]
    assert u.min() >= 10 / 40 and u.max() < 30 / 40 and found.points.shape == geometry.points.shape


@pytest.mark.parametrize("size", [(33, 71), (300, 200)])
def test_the_encoders_input_in_training_is_that_of_serving(size: tuple[int, int]) -> None:
    photograph = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert np.abs(encoder_input(photograph, 64) - encoder_image(photograph, 64)).max() < 1e-6
