"""The command line on photographs with a preset and a recipe small enough to be trained in seconds.

As a program, `python -m tests.unit.training.stream_toy LOSS ARGUMENTS…` trains a decoder with these arguments and
writes each step's loss to the file LOSS.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from safetensors.torch import save_file

from mvsam.networks.checkpoints import build_network, weights_path
from mvsam.networks.presets import PRESETS, Pi3Config
from mvsam.networks.seeded import seed_weights
from mvsam.training.__main__ import main
from mvsam.training.config import TrainingConfig
from mvsam.training.loop import Trainer
from mvsam.training.recipes import DECODER_RECIPES
from mvsam.training.scene_source import Variation
from tests.unit.training import toy

PRESET = replace(
    toy.PRESET,
    name="toy",
    pi3=Pi3Config(dim=48, heads=2, encoder_depth=1, decoder_depth=2, head_depth=1, camera_dim=24, position_grid=4),
    geometry_pixels=56 * 56,
)
RECIPE = replace(
    DECODER_RECIPES["paper"],
    training=TrainingConfig(
        batch=4, learning_rate=1e-3, warmup=2, checkpoint_every=2, validate_every=1000, log_every=1
    ),
    loss=toy.LOSS,
    sampling=toy.SAMPLING,
    variation=Variation(objects=2),
)


def write_weights(folder: Path, *networks: str) -> Path:
    """Seeded weights of the toy preset's networks, where they are loaded from."""
    for name in networks:
        network = build_network(PRESET, name)
        seed_weights(network)
        path = weights_path(folder, PRESET, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(network.state_dict(), path)
    return folder


def train(*arguments: str | Path) -> tuple[int, list[float]]:
    """Exit status and each step's loss of a decoder's training with the toy preset and the toy's paper recipe."""
    losses: list[float] = []
    advance = Trainer._advance

    def noted(self: Trainer, batches: Iterator) -> tuple[float, dict[str, float]]:
        value, figures = advance(self, batches)
        losses.append(value)
        return value, figures

    with (
        patch.dict(PRESETS, toy=PRESET),
        patch.dict(DECODER_RECIPES, paper=RECIPE),
        patch.object(Trainer, "_advance", noted),
    ):
        options = ["--preset", "toy", "--recipe", "paper"]
        status = main(["decoder", *options, *(str(argument) for argument in arguments)])
    return status, losses


if __name__ == "__main__":
    torch.set_num_threads(1)
    status, losses = train(*sys.argv[2:])
    Path(sys.argv[1]).write_text("\n".join(repr(loss) for loss in losses))
    sys.exit(status)
