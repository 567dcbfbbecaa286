"""VGGT as its authors' package computes it."""

import importlib
import pickle
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mvsam.evaluation.geometry.pointmaps import GeometryError
from mvsam.evaluation.geometry.vggt import INPUT, OUTPUTS
from mvsam.networks.weight_files import fault_of

MODULE = "vggt.models.vggt"
PACKAGE = "pip install git+https://github.com/facebookresearch/vggt"
WEIGHTS = (
    "VGGT's weights are at huggingface.co/facebook/VGGT-1B under CC BY-NC 4.0, which forbids commercial use; "
    "facebook/VGGT-1B-Commercial has terms of its own"
)


class VggtPackage:
    """A session over the package `vggt`, in BF16 on GPUs, as its authors run it.

    Args:
        weights: the state dict, .pt or .safetensors.
        device: PyTorch's name of it.

    Raises:
        GeometryError: the package or the weights are missing, or do not fit each other.
    """

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        self.types: dict[str, np.dtype] = {}
        self._device = torch.device(device)
        try:
            network = importlib.import_module(MODULE).VGGT()
        except ImportError as error:
            raise GeometryError(
                f"VGGT's package cannot be imported ({error}); install it with `{PACKAGE}`. {WEIGHTS}"
            ) from error
        try:
            network.load_state_dict(_state(weights))
        except RuntimeError as error:
            raise GeometryError(f"{weights} does not fit the installed VGGT ({error}). {WEIGHTS}") from None
        self._network = network.eval().to(self._device)

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What `VggtProvider` needs, FP32."""
        images = torch.from_numpy(inputs[INPUT]).to(self._device)
        on_gpu = self._device.type == "cuda"
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=on_gpu):
            found = self._network(images)
        return {name: found[name].float().cpu().numpy() for name in OUTPUTS}


def _state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise GeometryError(f"{path} does not exist; put the state dict there. {WEIGHTS}")
    if fault := fault_of(path):
        raise GeometryError(f"{path} {fault}; download it again. {WEIGHTS}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, EOFError, RuntimeError) as error:
        raise GeometryError(f"{path} is no file of weights ({error}); download it again. {WEIGHTS}") from None
