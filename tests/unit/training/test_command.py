"""From rendered scenes to installed weights, by the command line."""

from pathlib import Path

import pytest
import torch

from mvsam.networks.checkpoints import WeightSource, load_network
from mvsam.networks.presets import PRESETS
from mvsam.synthetic.__main__ import main as synthetic
from mvsam.training.__main__ import main
from mvsam.training.budget import duration

# Third parties' own deprecations, on import and in TensorBoard's writer.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def test_scenes_become_weights(tmp_path: Path) -> None:
    for name, split in (("train", "train"), ("held_out", "test")):
        size = ["--count", "3", "--views", "3", "--height", "64", "--width", "64"]
        assert synthetic(["render", "--out", str(tmp_path / name), "--split", split, *size]) == 0
    run, weights = tmp_path / "run", tmp_path / "weights"
    data = ["--scenes", str(tmp_path / "train"), "--held-out", str(tmp_path / "held_out")]
    assert main(["decoder", *data, "--output", str(run), "--steps", "2"]) == 0
    assert main(["install", "--run", str(run), "--weights-directory", str(weights)]) == 0
    decoder, provenance = load_network(PRESETS["demo"], "mask_decoder", WeightSource.FILES, weights)
    assert provenance["source"] == "trained by this project" and provenance["trained"]
    averaged = torch.load(run / "checkpoint.pt", weights_only=True)["average"]["module.decoder.mask_token"]
    assert torch.equal(decoder.state_dict()["mask_token"], averaged)
    load_network(PRESETS["demo"], "sam2_encoder", WeightSource.FILES, weights)


def test_paper_recipe_needs_a_trained_encoder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    size = ["--count", "1", "--views", "1", "--height", "32", "--width", "32"]
    assert synthetic(["render", "--out", str(tmp_path / "scenes"), *size]) == 0
    data = ["--scenes", str(tmp_path / "scenes"), "--held-out", str(tmp_path / "scenes")]
    arguments = ["decoder", "--recipe", "paper", *data, "--output", str(tmp_path / "run")]
    assert main([*arguments, "--weights-directory", str(tmp_path / "none")]) == 1
    assert "sam2_encoder.safetensors does not exist" in caplog.text


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("3h", 10800)])
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds
