"""`python -m mvsam.training decoder | install`: train the mask decoder on synthetic scenes, keep what came of it."""

import argparse
import logging
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from mvsam.networks.checkpoints import CheckpointError, WeightSource, build_network, load_network
from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.mask_decoder import MaskDecoder
from mvsam.networks.presets import PRESETS, Preset, preset_named
from mvsam.synthetic.cache import CachedScenes
from mvsam.synthetic.scene import Scene
from mvsam.training.config import TrainingConfig
from mvsam.training.decoder_task import DecoderTask, PromptedEncoderDecoder
from mvsam.training.install import install
from mvsam.training.loop import Trainer
from mvsam.training.recipes import DECODER_RECIPES, DecoderRecipe
from mvsam.training.scene_source import SceneSource

logger = logging.getLogger(__name__)

TIMED_STEPS = 20
UNITS = {"s": 1, "m": 60, "h": 3600}


def decoder_model(preset: Preset, recipe: DecoderRecipe, weights: Path) -> PromptedEncoderDecoder:
    """A new decoder on a new image encoder, or on the preset's own where the recipe freezes it.

    Raises:
        CheckpointError: a frozen encoder has no weights.
    """
    torch.manual_seed(recipe.training.seed)
    if recipe.train_encoder:
        encoder = build_network(preset, "sam2_encoder")
    else:
        encoder, _ = load_network(preset, "sam2_encoder", WeightSource.FILES, weights)
    decoder = build_network(preset, "mask_decoder")
    assert isinstance(encoder, Sam2ImageEncoder) and isinstance(decoder, MaskDecoder)
    return PromptedEncoderDecoder(encoder, decoder, train_encoder=recipe.train_encoder)


def steps_within(task: DecoderTask, config: TrainingConfig, output: Path, seconds: float) -> int:
    """How many steps fit into a time, measured on the first few; the same when a run is resumed."""
    plan = output / "steps.txt"
    if not plan.is_file():
        trainer = Trainer(task, replace(config, steps=TIMED_STEPS), output / "timing")
        trainer.run(until=TIMED_STEPS // 2)
        started = time.monotonic()
        trainer.run()
        each = (time.monotonic() - started) / (TIMED_STEPS - TIMED_STEPS // 2)
        plan.parent.mkdir(parents=True, exist_ok=True)
        plan.write_text(str(max(TIMED_STEPS, int(seconds / each))))
    return int(plan.read_text())


def in_memory(folder: Path) -> list[Scene]:
    """A cache's scenes, decompressed once: 10 MB each at six views of 256²."""
    cached = CachedScenes(folder)
    return [cached[index] for index in range(len(cached))]


def duration(text: str) -> float:
    """Seconds of e.g. 30m, 3h or 90s."""
    match = re.fullmatch(r"(\d+)([smh])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write e.g. 30m or 3h")
    return float(int(match[1]) * UNITS[match[2]])


def _decoder(arguments: argparse.Namespace) -> int:
    preset, recipe = preset_named(arguments.preset), DECODER_RECIPES[arguments.recipe]
    training, held_out = in_memory(arguments.scenes), in_memory(arguments.held_out)
    source = SceneSource(training, held_out, preset, recipe.sampling, recipe.disturbance)
    task = DecoderTask(decoder_model(preset, recipe, arguments.weights_directory), source, recipe.loss)
    config = recipe.training
    if arguments.budget is not None:
        config = replace(config, steps=steps_within(task, config, arguments.output, arguments.budget))
        # Timing has moved the weights: begin anew.
        task = DecoderTask(decoder_model(preset, recipe, arguments.weights_directory), source, recipe.loss)
    elif arguments.steps is not None:
        config = replace(config, steps=arguments.steps)
    Trainer(task, config, arguments.output).run()
    return 0


def _install(arguments: argparse.Namespace) -> int:
    for path in install(arguments.run, preset_named(arguments.preset), arguments.weights_directory):
        logger.info("installed %s", path)
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Runs a subcommand."""
    parser = argparse.ArgumentParser(prog="python -m mvsam.training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    trained = commands.add_parser("decoder", help="train the mask decoder; run again to go on after an interruption")
    trained.add_argument("--recipe", default="demo", choices=list(DECODER_RECIPES))
    trained.add_argument("--scenes", type=Path, required=True, help="cache of `python -m mvsam.synthetic render`")
    trained.add_argument("--held-out", type=Path, required=True, help="likewise, to validate on")
    trained.add_argument(
        "--output", type=Path, required=True, help="folder of the checkpoint and of TensorBoard's logs"
    )
    length = trained.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int)
    length.add_argument("--budget", type=duration, help="e.g. 30m: as many steps as fit")
    trained.set_defaults(run_command=_decoder)
    installed = commands.add_parser("install", help="a run's averaged weights to where networks are loaded from")
    installed.add_argument("--run", type=Path, required=True)
    installed.set_defaults(run_command=_install)
    for command in (trained, installed):
        command.add_argument("--preset", default="demo", choices=list(PRESETS))
        command.add_argument("--weights-directory", type=Path, default=Path("weights"))
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        return chosen.run_command(chosen)
    except (CheckpointError, FileNotFoundError, ValueError) as error:
        logger.error("%s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
