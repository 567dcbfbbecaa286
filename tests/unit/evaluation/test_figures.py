"""Answers are summed up as they were given, and what was never asked about is left out."""

import pytest

from mvsam.evaluation.figures import Judged, figures
from mvsam.evaluation.questions import Answered
from mvsam.evaluation.traits import Trait

NAN = float("nan")


def answered(iou: float, occluded: float = NAN, strays: float = NAN) -> Answered:
    return Answered(iou, recall=1.0, occluded_iou=occluded, prompted_iou=0.5, strays=strays)


def test_means_by_kind_of_object() -> None:
    result = figures(
        [
            Judged(answered(0.2), frozenset({Trait.TOUCHING})),
            Judged(answered(0.4, occluded=0.3), frozenset({Trait.TOUCHING, Trait.STACKED})),
            Judged(answered(0.9, strays=0.1), frozenset()),
        ]
    )
    assert result["mean IoU, unprompted views"] == pytest.approx(0.5)
    assert result["scenes, touching"] == result["scenes, any of these"] == 2
    assert result["mean IoU, touching"] == result["mean IoU, any of these"] == pytest.approx(0.3)
    assert result["mean IoU, stacked"] == pytest.approx(0.4)
    assert result["mean IoU, occluded"] == pytest.approx(0.3), "of the one object that something hides"
    assert result["stray pixels where the object is absent"] == pytest.approx(0.1)
    assert not any("elongated" in name for name in result)
