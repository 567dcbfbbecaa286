"""An answer is the reference's or it is not, and the worst view says so."""

import math

import pytest
import torch

from mvsam.evaluation.speed.agreement import agreement

LOGITS = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))


def test_the_same_answer() -> None:
    found = agreement({"mask_logits": LOGITS}, {"mask_logits": LOGITS.clone()})
    assert (found.error, found.mean_iou, found.worst_iou) == (0.0, 1.0, 1.0)
    assert found.same_masks


def test_one_wrong_view_among_right_ones() -> None:
    wrong = LOGITS.clone()
    wrong[:, 2] *= -1
    found = agreement({"mask_logits": LOGITS}, {"mask_logits": wrong})
    assert found.worst_iou == 0.0
    assert found.mean_iou == pytest.approx(0.75)
    assert found.error == pytest.approx(float(2 * LOGITS[:, 2].abs().max() / LOGITS.abs().max()))
    assert not found.same_masks


def test_masks_that_are_empty_in_both_agree() -> None:
    empty = -LOGITS.abs()
    assert agreement({"mask_logits": empty}, {"mask_logits": empty}).worst_iou == 1.0


def test_what_is_not_finite_is_infinitely_far() -> None:
    broken = LOGITS.clone()
    broken[0, 0, 0, 0] = math.nan
    assert agreement({"mask_logits": LOGITS}, {"mask_logits": broken}).error == math.inf


def test_outputs_without_masks_have_an_error_only() -> None:
    found = agreement(
        {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([8.0])},
        {"a": torch.tensor([1.0, 1.0]), "b": torch.tensor([8.0])},
    )
    assert (found.error, found.mean_iou) == (0.5, None)
    assert not found.same_masks
