"""A run's averaged weights to the files that networks are loaded from."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from mvsam.networks.checkpoints import CheckpointError, build_network, check_listing, shapes_of, weights_path
from mvsam.networks.pins import pin
from mvsam.networks.presets import Preset
from mvsam.training.loop import CHECKPOINT

# Parts of trained models -> networks, and how they are stored. π³ is the largest: half the bytes cost it a rounding of
# 0.05 % of each weight, which loading takes back to FP32.
MODULES = {
    "encoder": ("sam2_encoder", torch.float32),
    "decoder": ("mask_decoder", torch.float32),
    "pi3": ("pi3", torch.float16),
}


def install(run: Path, preset: Preset, directory: Path) -> list[Path]:
    """Writes a safetensors file per trained network: a frozen encoder stays what it is.

    Args:
        run: the run's folder.
        preset: what was trained.
        directory: of all weights.

    Raises:
        FileNotFoundError: the run has no checkpoint.
        CheckpointError: it is of another preset, or holds no network.
    """
    if not (run / CHECKPOINT).is_file():
        raise FileNotFoundError(f"{run / CHECKPOINT} does not exist: give the folder of a run, its --output")
    state = torch.load(run / CHECKPOINT, map_location="cpu", weights_only=True)
    written = []
    for part, (network, precision) in MODULES.items():
        weights = part_of(state["average"], f"module.{part}.")
        if not weights:
            continue
        target = weights_path(directory, preset, network)
        shapes = {key: tuple(tensor.shape) for key, tensor in weights.items()}
        check_listing(shapes, shapes_of(build_network(preset, network)), run / CHECKPOINT)
        weights = {key: tensor.to(precision) for key, tensor in weights.items()}
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(".tmp")
        save_file(weights, temporary, metadata={"source": "trained by this project", "steps": str(state["step"])})
        temporary.replace(target)
        pin(directory, target)
        written.append(target)
    if not written:
        raise CheckpointError(f"{run / CHECKPOINT} holds none of the networks: give the folder of a run, its --output")
    return written


def part_of(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries under a prefix, without it."""
    return {key.removeprefix(prefix): value.contiguous() for key, value in state.items() if key.startswith(prefix)}
