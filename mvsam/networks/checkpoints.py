"""Weights from files: official checkpoints checked key by key, our own read from hash-checked safetensors."""

import hashlib
import json
import os
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
from mvsam.networks.presets import NETWORKS, PINS, SAM2_DECODER, Preset
from mvsam.networks.seeded import seed_weights

SHOWN = 5  # offending keys named in a message


class CheckpointError(ValueError):
    """A weights file is missing, is not the file it was, or does not fit the network; names file, key or shape."""


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
    digest = check_pin(directory, path)
    try:
        state = load_file(path)
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is no safetensors file ({error}), and nothing else is ever loaded from there: put official files "
            f"where `make weights PRESET={preset.name}` says, which converts them"
        ) from None
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


def check_pin(directory: Path, path: Path) -> str:
    """The SHA-256 of a file, which must be what it was at first use; the first use pins it.

    Raises:
        CheckpointError: the file has changed since.
    """
    pins, name, digest = _pins(directory), _pin_name(directory, path), _digest(path)
    if name not in pins:
        return pin(directory, path)
    if pins[name] != digest:
        raise CheckpointError(
            f"{path} has SHA-256 {digest}, but {pins[name]} was pinned at its first use:"
            f" put the original back, or, if the change is meant, remove its line from {directory / PINS}"
        )
    return digest


def pin(directory: Path, path: Path) -> str:
    """Pins a file's SHA-256 as it is now, as whoever writes the file does."""
    pins, digest = _pins(directory), _digest(path)
    pins[_pin_name(directory, path)] = digest
    temporary = directory / f"{PINS}.{os.getpid()}.tmp"  # several processes may begin a training together
    temporary.write_text(json.dumps(pins, indent=2, sort_keys=True) + "\n")
    temporary.replace(directory / PINS)
    return digest


def _pins(directory: Path) -> dict[str, str]:
    path = directory / PINS
    return json.loads(path.read_text()) if path.is_file() else {}


def _pin_name(directory: Path, path: Path) -> str:
    return str(path.relative_to(directory))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_pickle(path: Path) -> Any:
    """A `.pt` file read as plain tensors and containers only.

    Raises:
        CheckpointError: it holds anything else, or is not a PyTorch file.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be read as plain tensors ({type(error).__name__}): it is not the official checkpoint,"
            " or its download was cut short"
        ) from None
