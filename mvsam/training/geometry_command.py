"""`python -m mvsam.training geometry`: train a small π³ on synthetic scenes."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from mvsam.networks.pi3 import Pi3
from mvsam.networks.presets import preset_named
from mvsam.synthetic.cache import CachedScenes
from mvsam.synthetic.scene import Scene
from mvsam.training.budget import add_length, steps_within
from mvsam.training.geometry_model import GaugedPi3
from mvsam.training.geometry_task import GeometrySource, GeometryTask
from mvsam.training.loop import Trainer
from mvsam.training.matching_start import start_pi3
from mvsam.training.recipes import GEOMETRY_RECIPE


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the subcommand takes."""
    parser.add_argument("--scenes", type=Path, required=True, help="cache of `python -m mvsam.synthetic render`")
    parser.add_argument("--held-out", type=Path, required=True, help="likewise, to validate on")
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoint and of TensorBoard's logs")
    add_length(parser)


def run(arguments: argparse.Namespace) -> None:
    """Trains; goes on where an interrupted run of the same output stopped."""
    preset, recipe = preset_named(arguments.preset), GEOMETRY_RECIPE
    source = GeometrySource(_scenes(arguments.scenes), _scenes(arguments.held_out), recipe.side, recipe.views)

    def task() -> GeometryTask:
        torch.manual_seed(recipe.training.seed)
        network = Pi3(preset.pi3)
        start_pi3(network)
        return GeometryTask(GaugedPi3(network), source, recipe.loss)

    config = recipe.training
    if arguments.budget is not None:
        config = replace(config, steps=steps_within(task(), config, arguments.output, arguments.budget))
    elif arguments.steps is not None:
        config = replace(config, steps=arguments.steps)
    Trainer(task(), config, arguments.output).run()


def _scenes(folder: Path) -> Iterator[Scene]:
    """A cache's scenes, one at a time: all of them whole would take three times the memory."""
    cached = CachedScenes(folder)
    return (cached[index] for index in range(len(cached)))
