"""Mask losses: the paper's focal + dice (eq. 5, appendix A) and those it is compared with (Table 10)."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Masks = Float[Tensor, "*batch height width"]


class PixelLoss(StrEnum):
    """The term that is a mean over pixels."""

    FOCAL = "focal"
    BINARY_CROSS_ENTROPY = "bce"
    ASYMMETRIC = "asl"


@dataclass(frozen=True)
class MaskLoss:
    """Weighted pixel and dice terms; the defaults are the paper's.

    Attributes:
        pixel: the pixel term.
        pixel_weight: λ_focal.
        dice_weight: λ_dice.
        alpha: weight of object pixels against the rest in the focal loss.
        gamma: how much the focal loss disregards what is already right.
    """

    pixel: PixelLoss = PixelLoss.FOCAL
    pixel_weight: float = 1.0
    dice_weight: float = 0.05
    alpha: float = 0.9
    gamma: float = 1.5

    def __call__(self, logits: Masks, target: Masks) -> Float[Tensor, "*batch"]:
        """One number a mask.

        Args:
            logits: of the object.
            target: 1 on the object, 0 elsewhere; shares between are allowed.
        """
        terms: dict[PixelLoss, Callable[[Masks, Masks], Masks]] = {
            PixelLoss.FOCAL: lambda x, y: focal(x, y, self.alpha, self.gamma),
            PixelLoss.BINARY_CROSS_ENTROPY: lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction="none"),
            PixelLoss.ASYMMETRIC: asymmetric,
        }
        pixel = terms[self.pixel](logits, target).mean((-2, -1))
        return self.pixel_weight * pixel + self.dice_weight * dice(logits, target)


def focal(logits: Masks, target: Masks, alpha: float, gamma: float) -> Masks:
    """Focal loss per pixel (Lin et al., 2017, eq. 5)."""
    error = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    probability = logits.sigmoid()
    wrong = probability * (1 - target) + (1 - probability) * target
    return (alpha * target + (1 - alpha) * (1 - target)) * wrong**gamma * error


def asymmetric(
    logits: Masks, target: Masks, positive_gamma: float = 1.0, negative_gamma: float = 4.0, margin: float = 0.05
) -> Masks:
    """Asymmetric loss per pixel (Ben-Baruch et al., 2020): easy background counts little, the easiest nothing."""
    probability = logits.sigmoid()
    shifted = (probability - margin).clamp(min=0)
    positive = target * (1 - probability) ** positive_gamma * F.logsigmoid(logits)
    negative = (1 - target) * shifted**negative_gamma * torch.log1p(-shifted.clamp(max=1 - 1e-6))
    return -(positive + negative)


def dice(logits: Masks, target: Masks) -> Float[Tensor, "*batch"]:
    """1 - dice coefficient of the probabilities (Milletari et al., 2016), smoothed by one pixel."""
    probability = logits.sigmoid()
    overlap = (probability * target).sum((-2, -1))
    return 1 - (2 * overlap + 1) / (probability.sum((-2, -1)) + target.sum((-2, -1)) + 1)
