"""Answers to many questions summed up, all together and by what makes an object hard."""

from typing import NamedTuple

import numpy as np

from mvsam.evaluation.questions import Answered
from mvsam.evaluation.traits import Trait


class Judged(NamedTuple):
    """An answer, and what is true of the object that it is about."""

    answered: Answered
    traits: frozenset[Trait]


def figures(answers: list[Judged]) -> dict[str, float]:
    """Means over the questions, the spread of the main figure, and its mean over each kind of object that is there."""
    ious = np.array([each.answered.iou for each in answers])
    low, middle, high = np.quantile(ious, (0.25, 0.5, 0.75))
    result = {
        "scenes": len(answers),
        "mean IoU, unprompted views": float(ious.mean()),
        "lower quartile": float(low),
        "median": float(middle),
        "upper quartile": float(high),
    }
    kinds = {trait.value: {trait} for trait in Trait} | {"any of these": set(Trait)}
    for kind, wanted in kinds.items():
        chosen = [iou for iou, each in zip(ious, answers, strict=True) if wanted & each.traits]
        if chosen:
            result[f"scenes, {kind}"] = len(chosen)
            result[f"mean IoU, {kind}"] = float(np.mean(chosen))
    for name, field in (
        ("mean IoU, occluded", "occluded_iou"),
        ("mean IoU, prompted views", "prompted_iou"),
        ("stray pixels where the object is absent", "strays"),
    ):
        values = np.array([getattr(each.answered, field) for each in answers])
        if np.isfinite(values).any():
            result[name] = float(np.nanmean(values))
    return result
