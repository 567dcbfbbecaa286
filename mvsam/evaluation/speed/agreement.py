"""How far an answer is from FP32 eager PyTorch's, so that a fast wrong one is seen."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

SAME_MEAN, SAME_WORST = 0.995, 0.98  # mask IoU over the views from which on masks count as the same


@dataclass(frozen=True)
class Agreement:
    """With the reference.

    Attributes:
        error: largest difference of any output, relative to that output's largest value; infinite where a value is not
            finite.
        mean_iou: of the masks of all views; None where no masks are computed.
        worst_iou: of the view where they differ most.
    """

    error: float
    mean_iou: float | None = None
    worst_iou: float | None = None

    @property
    def same_masks(self) -> bool:
        """Whether the masks are the same for all that a user sees."""
        if self.mean_iou is None or self.worst_iou is None:
            return False
        return self.mean_iou >= SAME_MEAN and self.worst_iou >= SAME_WORST


def agreement(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Agreement:
    """Of two answers to the same case."""
    error = max(_error(tensor, found[name]) for name, tensor in expected.items())
    if "mask_logits" not in expected:
        return Agreement(error)
    a, b = (x["mask_logits"].flatten(0, 1).flatten(1) > 0 for x in (expected, found))
    union = (a | b).sum(1)
    ious = ((a & b).sum(1) / union.clamp(min=1)).where(union > 0, 1.0)
    return Agreement(error, float(ious.mean()), float(ious.min()))


def _error(expected: Tensor, found: Tensor) -> float:
    if not found.isfinite().all():
        return float("inf")
    return float((found - expected).abs().max() / expected.abs().max())
