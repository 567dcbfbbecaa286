"""`python -m mvsam.training decoder`: train the mask decoder on synthetic scenes, on SA-1B or on a user's own masks."""

import argparse
import logging
from dataclasses import replace
from pathlib import Path

from mvsam.networks.presets import preset_named
from mvsam.training.budget import add_length, steps_within
from mvsam.training.decoder_data import add_data, decoder_source
from mvsam.training.decoder_task import DecoderTask
from mvsam.training.initial_weights import decoder_model
from mvsam.training.loop import Trainer
from mvsam.training.mixed_source import MixedSource
from mvsam.training.photograph_source import PhotographSource
from mvsam.training.recipes import DECODER_RECIPES

logger = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the subcommand takes."""
    parser.add_argument("--recipe", default="demo", choices=list(DECODER_RECIPES))
    add_data(parser)
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--init-from-weights", action="store_true", help="start from the preset's own weights")
    start.add_argument(
        "--init-from-imagenet",
        action="store_true",
        help="start the trunk from ImageNet's weights, the decoder from the demo's",
    )
    start.add_argument("--init-from-sam2", type=Path, metavar="CHECKPOINT", help="start the decoder from SAM2.1's")
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoint and of TensorBoard's logs")
    parser.add_argument("--accumulate", type=int, default=1, help="passes a step, where a batch does not fit (1)")
    parser.add_argument("--learning-rate", type=float, help="the highest, where the recipe's is too high to go on with")
    add_length(parser)


def run(arguments: argparse.Namespace) -> None:
    """Trains; goes on where an interrupted run of the same output stopped."""
    preset, recipe = preset_named(arguments.preset), DECODER_RECIPES[arguments.recipe]
    source = decoder_source(arguments, preset, recipe)
    stream = source if isinstance(source, PhotographSource | MixedSource) else None

    def task() -> DecoderTask:
        model = decoder_model(
            preset,
            train_encoder=recipe.train_encoder,
            seed=recipe.training.seed,
            weights=arguments.weights_directory,
            own=arguments.init_from_weights,
            sam2=arguments.init_from_sam2,
            imagenet=arguments.init_from_imagenet,
            corrections=recipe.corrections,
        )
        return DecoderTask(model, source, recipe.loss)

    config = replace(recipe.training, accumulate=arguments.accumulate)
    if arguments.learning_rate is not None:
        config = replace(config, learning_rate=arguments.learning_rate)
    if arguments.budget is not None:
        config = replace(config, steps=steps_within(task(), config, arguments.output, arguments.budget, stream))
    elif arguments.steps is not None:
        config = replace(config, steps=arguments.steps)
    trainer = Trainer(task(), config, arguments.output, stream=stream)
    trainer.run()
    if trainer.pace.samples and trainer.accelerator.is_main_process:
        logger.info("%s", trainer.pace.of_sa1b())
