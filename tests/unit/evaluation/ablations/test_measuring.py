"""Variants are all asked the same, and answers are judged in the views without prompts."""

from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mvsam.evaluation.ablations.inputs import DecoderInputs
from mvsam.evaluation.ablations.measuring import Examination
from mvsam.evaluation.ablations.tables import BASELINE
from mvsam.evaluation.ablations.task import AblatedDecoder
from mvsam.evaluation.ablations.variants import PRESET, Evaluation
from tests.unit.evaluation.ablations.material import VIEWS, encoded, scene


class Constant(nn.Module):
    """Says the same of every pixel, and keeps what it was asked."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(logit))
        self.asked: list[DecoderInputs] = []

    def forward(self, inputs: DecoderInputs, views: Tensor | None) -> Tensor:
        self.asked.append(inputs)
        count = len(inputs.grid.points)
        return self.logit.expand(1, count, 4 * PRESET.grid_side, 4 * PRESET.grid_side)


def examination(model: Constant, evaluation: Evaluation) -> Examination:
    return Examination(cast(AblatedDecoder, model), BASELINE, evaluation, encoded())


def test_all_and_nothing_score_as_they_must() -> None:
    everything = examination(Constant(1.0), Evaluation()).figures(3)
    nothing = examination(Constant(-1.0), Evaluation()).figures(3)
    assert everything["questions"] == nothing["questions"] == 3
    assert everything["recall"] == 1 and nothing["recall"] == nothing["IoU"] == 0
    shares = [scene().mask(index).mean((1, 2)) for index in (0, 1)]
    iou = everything["IoU"]
    assert iou is not None and min(map(np.min, shares)) <= iou <= max(map(np.max, shares))


def test_all_views_at_once_by_default() -> None:
    model = Constant(1.0)
    examination(model, Evaluation()).figures(1)
    assert [len(asked.grid.points) for asked in model.asked] == [VIEWS]


@pytest.mark.parametrize(("frames", "groups"), [(2, [2] * 7), (4, [4, 4, 2]), (8, [8])])
def test_frames_come_with_the_prompted_view_until_all_had_their_turn(frames: int, groups: list[int]) -> None:
    model = Constant(1.0)
    figures = examination(model, Evaluation(frames=frames)).figures(1)
    assert [len(asked.grid.points) for asked in model.asked] == groups
    assert figures["recall"] == 1, "every view was asked about"
    first = model.asked[0].prompts
    for asked in model.asked:
        assert torch.equal(asked.prompts.labels, first.labels)
