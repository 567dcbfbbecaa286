"""The examples of a decoder run, as the command line names them: synthetic scenes, photographs, or both."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from accelerate import PartialState

from mvsam.cores import available_cores
from mvsam.networks.presets import Preset
from mvsam.synthetic.cache import in_memory, is_cache
from mvsam.training.decoder_task import SampleSource
from mvsam.training.example import Part
from mvsam.training.feature_cache import FeatureCache
from mvsam.training.frozen import FeatureSource, FrozenNetworks
from mvsam.training.initial_weights import frozen_encoder, frozen_pi3
from mvsam.training.mixed_source import MixedSource
from mvsam.training.photograph_source import PhotographSource
from mvsam.training.recipes import DecoderRecipe
from mvsam.training.sa1b import Sa1b, Selection
from mvsam.training.scene_source import SceneSource
from mvsam.training.user_masks import UserScenes

REGIONS = 24  # masks of a photograph that is varied: crops lose some, and layers in depth want many
MOST_THREADS = 8  # beyond, samples made in advance would take more memory than they save time


def add_data(parser: argparse.ArgumentParser) -> None:
    """The options that name data."""
    parser.add_argument("--scenes", type=Path, help="cache of `python -m mvsam.synthetic render`")
    data = parser.add_mutually_exclusive_group()
    data.add_argument("--sa1b", type=Path, nargs="+", help="SA-1B's tar shards, or folders of them or of jpg and json")
    data.add_argument("--user-masks", type=Path, help="own scenes: images/, masks/<object>/, optionally geometry.npz")
    parser.add_argument("--held-out", type=Path, nargs="+", help="data of the same kinds to validate on")
    parser.add_argument("--cache", type=Path, help="folder to keep what the frozen networks make of photographs")
    parser.add_argument("--cache-gigabytes", type=float, default=50.0, help="the most that it may take (50)")


def decoder_source(arguments: argparse.Namespace, preset: Preset, recipe: DecoderRecipe) -> SampleSource:
    """This process' source of samples.

    Raises:
        ValueError: data that is not there, does not fit, or would take more than the cache may.
        CheckpointError: a frozen network has no weights.
    """
    if not (arguments.scenes or arguments.sa1b or arguments.user_masks):
        raise ValueError("nothing to train on; give --scenes, --sa1b or --user-masks")
    caches = [path for path in arguments.held_out or [] if is_cache(path)]
    photographs = [path for path in arguments.held_out or [] if path not in caches]
    scenes = None if arguments.scenes is None else _scenes(arguments, caches, preset, recipe)
    if scenes is None and caches:
        raise ValueError(f"--held-out {caches[0]} is a cache of scenes; give it with --scenes, or leave it out")
    if not (arguments.sa1b or arguments.user_masks):
        if photographs:
            raise ValueError(f"--held-out {photographs[0]} is no cache of scenes; give what `render` wrote")
        if arguments.cache is not None:
            raise ValueError("--cache is for photographs: scenes are varied each time that they are seen; leave it out")
        assert scenes is not None
        if recipe.train_encoder:
            return scenes
        encoder = frozen_encoder(preset, arguments.weights_directory)
        return FeatureSource(scenes, FrozenNetworks(preset, None, encoder, this_process()[1]))
    if scenes is not None and not recipe.train_encoder:
        raise ValueError("--scenes beside photographs is for recipes that train the encoder; give one of them")
    source = _photographs(arguments, photographs, preset, recipe)
    return source if scenes is None else MixedSource(source, scenes, recipe.photographs)


def _scenes(
    arguments: argparse.Namespace, held_out: Sequence[Path], preset: Preset, recipe: DecoderRecipe
) -> SceneSource:
    return SceneSource(
        in_memory(arguments.scenes),
        [scene for folder in held_out for scene in in_memory(folder)],
        preset,
        recipe.sampling,
        recipe.disturbance,
        recipe.variation,
    )


def this_process() -> tuple[Part, torch.device]:
    """This process' part of an epoch and its device, as the trainer finds them."""
    process = PartialState(cpu=not torch.accelerator.is_available())
    return Part(process.process_index, process.num_processes), torch.device(process.device or "cpu")


def _photographs(
    arguments: argparse.Namespace, held_out_paths: Sequence[Path], preset: Preset, recipe: DecoderRecipe
) -> PhotographSource:
    part, device = this_process()
    threads = max(1, min(MOST_THREADS, available_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    varied = recipe.train_encoder
    selection = Selection(most=REGIONS if varied else recipe.variation.objects)
    training: Sa1b | UserScenes
    held_out: Sa1b | UserScenes | None = None
    if arguments.sa1b:
        training = Sa1b.open(*arguments.sa1b, selection=selection, part=part, threads=threads)
        if held_out_paths:
            held_out = Sa1b.open(*held_out_paths, selection=selection, threads=threads)
            training = training.without(held_out)
    else:
        training = UserScenes.open(arguments.user_masks, part=part)
        if held_out_paths:
            held_out = UserScenes.open(*held_out_paths)
            training = training.without(held_out)
    return PhotographSource(
        training,
        held_out,
        _frozen(arguments, preset, recipe, [data for data in (training, held_out) if data is not None], device),
        preset,
        recipe.sampling,
        recipe.disturbance,
        recipe.variation,
        layered=recipe.layered,
        varied=varied,
        threads=threads,
    )


def _frozen(
    arguments: argparse.Namespace,
    preset: Preset,
    recipe: DecoderRecipe,
    data: Sequence[Sa1b | UserScenes],
    device: torch.device,
) -> FrozenNetworks:
    """What these data need of the networks that are not trained."""
    estimated = any(part.lacks_geometry for part in data)
    pi3 = frozen_pi3(preset, arguments.weights_directory) if estimated else None
    encoder = None if recipe.train_encoder else frozen_encoder(preset, arguments.weights_directory)
    cache = None
    if arguments.cache is not None:
        cache = FeatureCache.open(
            arguments.cache,
            preset,
            {name: network for name, network in (("pi3", pi3), ("sam2_encoder", encoder)) if network is not None},
            photographs=sum(part.count_photographs() for part in data),
            budget_bytes=int(arguments.cache_gigabytes * 1e9),
        )
    return FrozenNetworks(preset, pi3, encoder, device, cache)
