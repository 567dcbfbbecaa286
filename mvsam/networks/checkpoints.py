"""Weights from files: official checkpoints checked key by key, our own read from hash-checked safetensors."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from mvsam.networks import presets
from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.mask_decoder import MaskDecoder
from mvsam.networks.pi3 import Pi3
from mvsam.networks.pins import pinned
from mvsam.networks.presets import NETWORKS, SAM2_DECODER, Preset
from mvsam.networks.seeded import seed_weights
from mvsam.networks.weight_files import CheckpointError, fault_of

SHOWN = 5  # offending keys named in a message


class WeightSource(StrEnum):
    """Where a network's weights come from."""

    FILES = "files"
    SEEDED = "seeded"  # random: no masks to be had


def build_network(preset: Preset, network: str) -> nn.Module:
    """One of the preset's networks, with untrained weights."""
    match network:
        case "pi3":
            return Pi3(preset.pi3)
        case "sam2_encoder":
            return Sam2ImageEncoder(preset.encoder)
        case "mask_decoder":
            return MaskDecoder(preset.decoder)
        case presets.SAM2_DECODER:  # a dotted name, or it would match anything
            from mvsam.networks.image_decoder import Sam2ImageDecoder  # and with it the `sam2` package

            return Sam2ImageDecoder(preset.grid_side)
    raise ValueError(f"no network {network!r}; choose one of {', '.join((*NETWORKS, SAM2_DECODER))}")


def weights_path(directory: Path, preset: Preset, network: str) -> Path:
    """Where a preset's network is read from."""
    return directory / preset.name / f"{network}.safetensors"


def load_network(
    preset: Preset, network: str, source: WeightSource, directory: Path
) -> tuple[nn.Module, dict[str, Any]]:
    """A network in evaluation mode with its weights, and what is known of them.

    Args:
        preset: sizes.
        network: one of NETWORKS, or SAM2_DECODER.
        source: files, or weights made from a seed.
        directory: where `make weights` and training put files.

    Raises:
        CheckpointError: the file is missing, has another hash than when it was pinned, or does not fit.
    """
    if source is WeightSource.SEEDED:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # of what is random and no parameter, such as the basis of SAM2's prompt encoder
            module = build_network(preset, network)
        seed_weights(module)
        return module.eval(), {"source": "seeded random", "trained": False}
    module = build_network(preset, network)
    path = weights_path(directory, preset, network)
    if not path.is_file():
        raise CheckpointError(
            f"{path} does not exist: `make weights PRESET={preset.name}` says which official files make it"
            + (" (MV-SAM's own decoder has no public weights: train it)" if network == "mask_decoder" else "")
            + "; for speed and parity work, WEIGHTS=seeded gives random ones"
        )
    remedy = (
        f"nothing but whole safetensors files is ever loaded from there: put official files where `make weights "
        f"PRESET={preset.name}` says, which converts them"
    )
    with pinned(directory, path) as digest:
        state, metadata = read_safetensors(path, remedy)
        load_strictly(module, state, path)
    return module.eval(), {"source": metadata.get("source", "unknown"), "trained": True, "sha256": digest}


def load_strictly(module: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Loads a state dict that has exactly the network's keys and shapes.

    Raises:
        CheckpointError: names the file and the first keys that are missing, unknown or of another shape.
    """
    check_listing({k: tuple(v.shape) for k, v in state.items()}, shapes_of(module), path)
    module.load_state_dict(state, strict=True)


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Key to shape of a network's state dict."""
    return {key: tuple(value.shape) for key, value in module.state_dict().items()}


def check_listing(found: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]], path: Path) -> None:
    """Compares two listings of keys and shapes.

    Raises:
        CheckpointError: names the file and the first differences of each kind.
    """
    shapes = [
        f"{key} is {list(found[key])}, expected {list(expected[key])}"
        for key in found.keys() & expected.keys()
        if found[key] != expected[key]
    ]
    problems = [
        f"{kind}: {'; '.join(sorted(items)[:SHOWN])}"
        + (f" and {len(items) - SHOWN} more" if len(items) > SHOWN else "")
        for kind, items in (
            ("missing keys", list(expected.keys() - found.keys())),
            ("unknown keys", list(found.keys() - expected.keys())),
            ("wrong shapes", shapes),
        )
        if items
    ]
    if problems:
        raise CheckpointError(
            f"{path} does not fit the network ({', '.join(problems)}): is it the file for this preset?"
        )


def read_safetensors(path: Path, remedy: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Reads a file's tensors, and its metadata.

    Args:
        path: of the file.
        remedy: what to do where it is not one, for the message.

    Raises:
        CheckpointError: it is no whole safetensors file; the message says what it is.
    """
    if fault := fault_of(path):
        raise CheckpointError(f"{path} {fault}; {remedy}")
    try:
        with safe_open(path, "pt") as file:
            return load_file(path), file.metadata() or {}
    except SafetensorError as error:
        raise CheckpointError(f"{path} is no safetensors file ({error}); {remedy}") from None


def read_pickle(path: Path, remedy: str) -> Any:
    """Reads a `.pt` file as plain tensors and containers only.

    Args:
        path: of the file.
        remedy: what to do where it is not one, for the message.

    Raises:
        CheckpointError: it holds anything else, or is not a whole PyTorch file; the message says what it is.
    """
    if fault := fault_of(path):
        raise CheckpointError(f"{path} {fault}; {remedy}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be read as plain tensors ({type(error).__name__}): it is not the official checkpoint,"
            f" or was damaged on its way; {remedy}"
        ) from None
