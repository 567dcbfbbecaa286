"""`python -m mvsam.training decoder`: train the mask decoder on synthetic scenes."""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from mvsam.networks.checkpoints import WeightSource, build_network, load_network
from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.mask_decoder import MaskDecoder
from mvsam.networks.presets import Preset, preset_named
from mvsam.synthetic.cache import in_memory
from mvsam.training.budget import add_length, steps_within
from mvsam.training.decoder_task import DecoderTask, PromptedEncoderDecoder
from mvsam.training.loop import Trainer
from mvsam.training.recipes import DECODER_RECIPES, DecoderRecipe
from mvsam.training.scene_source import SceneSource


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the subcommand takes."""
    parser.add_argument("--recipe", default="demo", choices=list(DECODER_RECIPES))
    parser.add_argument("--scenes", type=Path, required=True, help="cache of `python -m mvsam.synthetic render`")
    parser.add_argument("--held-out", type=Path, required=True, help="likewise, to validate on")
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoint and of TensorBoard's logs")
    add_length(parser)


def run(arguments: argparse.Namespace) -> None:
    """Trains; goes on where an interrupted run of the same output stopped."""
    preset, recipe = preset_named(arguments.preset), DECODER_RECIPES[arguments.recipe]
    source = SceneSource(
        in_memory(arguments.scenes),
        in_memory(arguments.held_out),
        preset,
        recipe.sampling,
        recipe.disturbance,
        recipe.variation,
    )

    def task() -> DecoderTask:
        return DecoderTask(decoder_model(preset, recipe, arguments.weights_directory), source, recipe.loss)

    config = recipe.training
    if arguments.budget is not None:
        config = replace(config, steps=steps_within(task(), config, arguments.output, arguments.budget))
    elif arguments.steps is not None:
        config = replace(config, steps=arguments.steps)
    Trainer(task(), config, arguments.output).run()


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
