"""The losses against their definitions, and what makes them useful."""

import math

import pytest
import torch

from mvsam.training.losses import MaskLoss, PixelLoss, asymmetric, dice, focal

CERTAIN = 30.0


def masks() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 8, 8, generator=generator), (torch.rand(3, 8, 8, generator=generator) > 0.7).float()


def test_focal_loss_is_its_definition() -> None:
    logit, alpha, gamma = 0.7, 0.9, 1.5
    p = 1 / (1 + math.exp(-logit))
    on = focal(torch.tensor([[logit]]), torch.ones(1, 1), alpha, gamma)
    off = focal(torch.tensor([[logit]]), torch.zeros(1, 1), alpha, gamma)
    assert float(on) == pytest.approx(-alpha * (1 - p) ** gamma * math.log(p), rel=1e-5)
    assert float(off) == pytest.approx(-(1 - alpha) * p**gamma * math.log(1 - p), rel=1e-5)


def test_dice_is_one_minus_the_overlap() -> None:
    target = torch.zeros(1, 10, 10)
    target[:, :5] = 1
    half = torch.full((1, 10, 10), -CERTAIN)
    half[:, :, :5] = CERTAIN
    assert float(dice(half, target)) == pytest.approx(1 - (2 * 25 + 1) / (50 + 50 + 1), abs=1e-4)


@pytest.mark.parametrize("pixel", PixelLoss)
def test_right_masks_cost_nothing_and_wrong_ones_much(pixel: PixelLoss) -> None:
    _, target = masks()
    right = CERTAIN * (2 * target - 1)
    loss = MaskLoss(pixel)
    assert loss(right, target).max() < 1e-3
    assert (loss(-right, target) > 0.1).all()


@pytest.mark.parametrize("pixel", PixelLoss)
def test_gradients_point_the_right_way_and_are_finite(pixel: PixelLoss) -> None:
    logits, target = masks()
    logits = (20 * logits).requires_grad_()
    MaskLoss(pixel)(logits, target).sum().backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()
    assert (logits.grad[target == 1] <= 0).all()


def test_asymmetric_loss_disregards_easy_background() -> None:
    easy, hard = torch.tensor([[-4.0]]), torch.tensor([[2.0]])
    assert float(asymmetric(easy, torch.zeros(1, 1))) == 0
    assert float(asymmetric(hard, torch.zeros(1, 1))) > 0.1
