"""An example's tensors are the ones that the serving pipeline would make of the same prompts."""

import numpy as np
import pytest
import torch

from mvsam.networks.presets import PRESETS
from mvsam.pipeline.normalization import normalize
from mvsam.pipeline.request import Geometry, Prompts
from mvsam.training import placing
from mvsam.training.disturbance import Disturbance, disturbed
from mvsam.training.losses import MaskLoss
from mvsam.training.placing import place, shares
from mvsam.training.prompt_sampling import PromptSampling, sample_clicks

DEMO = PRESETS["demo"]
SIDE = 256


def scene(views: int = 3) -> tuple[np.ndarray, Geometry, np.ndarray]:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(views, SIDE, SIDE, 3)).astype(np.float32) * [1, 2, 3] + [4, 5, 6]
    geometry = Geometry(
        points.astype(np.float32), np.ones(points.shape[:3], np.float32), np.ones(points.shape[:3], bool)
    )
    mask = np.zeros((1, SIDE, SIDE), bool)
    mask[0, 50:150, 80:200] = True
    image = rng.standard_normal((3, DEMO.encoder.side, DEMO.encoder.side), dtype=np.float32)
    return image, geometry, mask


def test_placed_tensors_are_those_of_serving(monkeypatch) -> None:
    monkeypatch.setattr(placing, "STATISTICS_STRIDE", 1)
    image, geometry, masks = scene(views=1)
    sampling = PromptSampling(negative_share=0.5)
    placed = place(image, geometry, masks, DEMO, sampling, Disturbance(), np.random.default_rng(3))
    assert placed is not None
    rng = np.random.default_rng(3)
    disturbed(geometry, Disturbance(), rng)
    clicks = sample_clicks(masks[0], geometry.valid[0], sampling, rng)
    assert clicks is not None
    points = np.stack([clicks.columns, clicks.rows], axis=-1).astype(np.float32)[None]
    prompts = Prompts.of(points, clicks.labels[None], np.zeros((1, 10), np.int32))
    sizes, rects = np.array([[SIDE, SIDE]], np.int32), np.array([[0, 0, SIDE, SIDE]], np.float32)
    served = normalize(geometry, sizes, rects, prompts, grid_side=DEMO.grid_side)
    assert np.array_equal(placed.prompt_labels, served.prompt_labels)
    assert np.allclose(placed.prompt_points, served.prompt_points, atol=1e-5)
    assert np.allclose(placed.grid_points, served.grid_points[0], atol=1e-5)
    assert not placed.prompt_low_confidence.any() and not served.prompt_low_confidence.any()


def test_a_letterboxed_photograph_is_placed_as_when_served(monkeypatch) -> None:
    monkeypatch.setattr(placing, "STATISTICS_STRIDE", 1)
    image, geometry, _ = scene(views=1)
    rect = (32, 0, 192, SIDE)
    geometry.valid[:, :, :32] = geometry.valid[:, :, 224:] = False
    masks = np.zeros((1, 120, 90), bool)
    masks[0, 30:60, 20:50] = True
    sampling = PromptSampling(negative_share=0.0)
    placed = place(image, geometry, masks, DEMO, sampling, Disturbance(), np.random.default_rng(3), rect)
    assert placed is not None
    click = Prompts.of([[[35, 45]]], [[1]], [[0]])
    sizes, rects = np.array([[120, 90]], np.int32), np.array([rect], np.float32)
    served = normalize(geometry, sizes, rects, click, grid_side=DEMO.grid_side)
    assert np.allclose(placed.grid_points, served.grid_points[0], atol=1e-5)
    inside = geometry.points[0, 64:128, 32 + 43 : 32 + 107].reshape(-1, 3)  # the mask's pixels, rounded outwards
    z = (inside - served.statistics[:3]) / served.statistics[3:6]
    nearest = np.abs(placed.prompt_points[0][:, None] - z[None]).sum(-1).min(1)
    assert nearest.max() < 1e-5


def test_targets_hold_the_objects_share_of_each_pixel() -> None:
    image, geometry, masks = scene()
    placed = place(image, geometry, masks, DEMO, PromptSampling(), Disturbance(), np.random.default_rng(1))
    assert placed is not None
    assert placed.targets.shape == (1, 64, 64)
    assert placed.targets.sum() * 16 == masks.sum()


def test_an_example_without_a_clickable_object_is_left_out() -> None:
    image, geometry, masks = scene()
    nothing = np.zeros_like(masks)
    assert place(image, geometry, nothing, DEMO, PromptSampling(), Disturbance(), np.random.default_rng(1)) is None


def test_disturbed_geometry_is_wrong_where_it_is_unsure() -> None:
    y, x = np.mgrid[:64, :64].astype(np.float32)
    points = np.stack([x, y, np.where(x < 32, 10.0, 40.0)], axis=-1).astype(np.float32)[None].repeat(4, 0)
    exact = Geometry(points, np.ones(points.shape[:3], np.float32), np.ones(points.shape[:3], bool))
    rng = np.random.default_rng(0)
    errors, confidences = [], []
    for _ in range(10):
        found = disturbed(exact, Disturbance(share=1.0, noise=0.5, bend=0.0), rng)
        errors.append(np.linalg.norm(found.points[0] - points[0], axis=-1).ravel())
        confidences.append(found.confidence[0].ravel())
    correlation = np.corrcoef(np.concatenate(errors), np.concatenate(confidences))[0, 1]
    assert correlation < -0.3
    untouched = disturbed(exact, Disturbance(), rng)
    assert np.array_equal(untouched.points[0], points[0])


@pytest.mark.parametrize("size", [(240, 320), (480, 640), (1080, 1920), (1500, 2250)])
def test_a_mask_of_any_size_that_is_surely_found_has_a_finite_loss(size: tuple[int, int]) -> None:
    mask = np.zeros(size, bool)
    mask[size[0] // 4 : size[0] // 2 + 3, size[1] // 5 : size[1] // 2 + 7] = True
    target = torch.from_numpy(shares(mask, 128))[None]
    assert float(target.min()) >= 0 and float(target.max()) == 1
    assert MaskLoss()(torch.where(target > 0, 30.0, -30.0), target).isfinite().all()
