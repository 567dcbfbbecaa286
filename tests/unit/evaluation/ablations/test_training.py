"""All variants start from the same decoder, which was prompted in space and in pictures alike."""

from pathlib import Path

import pytest
import torch

from mvsam.evaluation.ablations import training
from mvsam.evaluation.ablations.tables import BASELINE
from mvsam.evaluation.ablations.task import AblatedDecoder
from mvsam.evaluation.ablations.training import BASIS, IN_PICTURES, IN_SPACE, StartTask, started, starting_weights
from mvsam.evaluation.ablations.variants import SCALES
from tests.unit.evaluation.ablations.material import encoded

# Third parties' own deprecations, on import and in TensorBoard's writer.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def test_start_is_trained_once_and_taken_over_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = starting_weights(tmp_path, encoded(), SCALES["taste"])
    monkeypatch.setattr(training, "train", None)
    again = starting_weights(tmp_path, encoded(), SCALES["taste"])
    assert all(torch.equal(again[name], kept) for name, kept in weights.items())

    model = started(BASELINE, 1, weights).state_dict()
    assert all(torch.equal(model[name], kept) for name, kept in weights.items())
    flat = started(IN_PICTURES, 1, weights).state_dict()
    assert torch.equal(flat[BASIS], weights[BASIS][:2])
    assert all(torch.equal(flat[name], kept) for name, kept in weights.items() if name != BASIS)


def test_places_in_pictures_come_every_other_step() -> None:
    task = StartTask(AblatedDecoder(IN_SPACE), IN_SPACE, encoded(), SCALES["taste"], seed=0)
    in_space, in_pictures = (task.batch(step, range(2)) for step in (0, 1))
    assert in_space.inputs.grid.points[..., 2].std() > 0
    assert not in_pictures.inputs.grid.points[..., 2].any()
    assert in_pictures.inputs.prompts.points.shape[-1] == 3
    assert in_pictures.inputs.grid.points[..., :2].abs().max() < 1, "within the picture"
