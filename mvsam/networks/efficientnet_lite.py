"""EfficientNet-Lite0 (arXiv 1905.11946) as the trunk of a small image encoder, which starts from weights of ImageNet.

Batch normalisation is folded into the convolutions before it, in training too.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mvsam.networks.precision import Islands
from mvsam.pipeline.resizing import IMAGE_MEAN, IMAGE_STD

STEM = 32  # channels
MEAN, SCALE = 127.0, 128.0  # of the pixels that its ImageNet weights have seen


class Stage(NamedTuple):
    """A run of equal blocks, the first of which may take another stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
OUTPUTS = (1, 2, 4, 6)  # stages whose last maps are handed on, at strides 4, 8, 16 and 32
CHANNELS = tuple(STAGES[stage].channels for stage in OUTPUTS)


class SamePadded(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME pads even sides: by one more behind than before where it strides."""

    def forward(self, x: Tensor) -> Tensor:
        """Returns ceil(side / stride) pixels a side."""
        total = self.kernel_size[0] - self.stride[0]
        before, behind = total // 2, total - total // 2
        return super().forward(functional.pad(x, (before, behind, before, behind)))


class InvertedResidual(nn.Module):
    """MBConv: expansion, depthwise convolution and linear projection, added to what came in where shapes allow."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        width = inputs * stage.expansion
        self.expand = nn.Conv2d(inputs, width, 1) if stage.expansion > 1 else nn.Identity()
        self.depthwise = SamePadded(width, width, stage.kernel, stride, groups=width)
        self.project = nn.Conv2d(width, stage.channels, 1)
        self.expands, self.is_residual = stage.expansion > 1, stride == 1 and inputs == stage.channels

    def forward(self, x: Float[Tensor, "views inputs h w"]) -> Float[Tensor, "views channels h2 w2"]:
        """Returns the block's output."""
        y = functional.relu6(self.expand(x)) if self.expands else x
        y = self.project(functional.relu6(self.depthwise(y)))
        return x + y if self.is_residual else y


class EfficientNetLite(nn.Module):
    """The trunk: maps at four strides, as SAM2's feature pyramid takes them from Hiera."""

    scale: Tensor
    offset: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.channel_list = list(reversed(CHANNELS))
        mean, deviation = torch.from_numpy(IMAGE_MEAN), torch.from_numpy(IMAGE_STD)
        self.register_buffer("scale", (255 * deviation / SCALE)[:, None, None], persistent=False)
        self.register_buffer("offset", ((255 * mean - MEAN) / SCALE)[:, None, None], persistent=False)
        self.stem = SamePadded(3, STEM, 3, 2)
        self.stages = nn.ModuleList()
        channels = STEM
        for stage in STAGES:
            blocks = []
            for number in range(stage.blocks):
                blocks.append(InvertedResidual(channels, stage, stage.stride if number == 0 else 1))
                channels = stage.channels
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, images: Float[Tensor, "views 3 side side"]) -> list[Tensor]:
        """Returns maps of 24, 40, 112 and 320 channels at strides 4, 8, 16 and 32.

        Args:
            images: RGB normalised with ImageNet's mean and deviation; the side is a multiple of 32.
        """
        x = functional.relu6(self.stem(images * self.scale + self.offset))
        outputs = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in OUTPUTS:
                outputs.append(x)
        return outputs


ISLANDS: dict[type[nn.Module], Islands] = {InvertedResidual: Islands(stream=("project",))}
