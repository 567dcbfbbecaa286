"""Where points and prompts are, as vectors: the paper's eqs. 1-3, and SAM's embedding of mask prompts."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from mvsam.networks.layers import ChannelNorm
from mvsam.networks.presets import DecoderConfig, Positions, PositionWidth

NEGATIVE, POSITIVE = 0, 1  # labels of a prompt; padding is below both
BASIS_SEED = 0


class PositionEncoder(nn.Module):
    """Fourier embedding of z-scored positions (eq. 1) with learned label (eq. 2) and confidence (eq. 3) vectors.

    The sines are always FP32: their arguments reach a hundred radians. One linear map, shared by prompts and image
    points, lifts the 128 numbers to the decoder's width after the learned vectors are added.
    """

    basis: Tensor

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.positions = config.positions
        lifted = config.position_width is PositionWidth.LIFTED
        frequencies = config.frequencies if lifted else config.dim // 2
        width = 2 * frequencies
        axes = 2 if config.positions is Positions.IMAGE else 3
        noise = torch.randn(axes, frequencies, generator=torch.Generator().manual_seed(BASIS_SEED))
        self.register_buffer("basis", noise)
        self.label = nn.Embedding(2, width)  # rows: negative, positive
        self.confidence = nn.Embedding(2, width)  # rows: high, low
        self.lift = nn.Linear(width, config.dim) if lifted else nn.Identity()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "PositionEncoder":
        basis = self.basis
        super()._apply(fn, recurse)
        self.basis = basis.to(self.basis.device)  # `half()` and `bfloat16()` leave it FP32
        return self

    def fourier(self, points: Float[Tensor, "*batch axes"]) -> Float[Tensor, "*batch width"]:
        """Eq. 1: [sin(2 pi b^T p), cos(2 pi b^T p)], or zeros where positions are ablated.

        The product is a sum of three terms, not a matrix product, so that no backend computes it in TF32.
        """
        if self.positions is Positions.NONE:
            return points.new_zeros(*points.shape[:-1], 2 * self.basis.shape[1], dtype=torch.float32)
        angles = 2 * math.pi * (points.float()[..., None] * self.basis).sum(-2)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)

    def embed_points(
        self, points: Float[Tensor, "*batch axes"], low_confidence: Bool[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch dim"]:
        """Eq. 3 for image points, lifted."""
        return self._lift(self.fourier(points) + self.confidence(low_confidence.int()).float())

    def embed_prompts(
        self,
        points: Float[Tensor, "*batch axes"],
        low_confidence: Bool[Tensor, "*batch"],
        labels: Int[Tensor, "*batch"],
    ) -> Float[Tensor, "*batch dim"]:
        """Eqs. 2 and 3 for prompts, lifted. Padding (label -1) embeds as something finite that attention masks out."""
        learned = self.label(labels.clamp(min=NEGATIVE)) + self.confidence(low_confidence.int())
        return self._lift(self.fourier(points) + learned.float())

    def _lift(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch dim"]:
        return self.lift(x.to(self.label.weight.dtype))


class MaskPromptEncoder(nn.Module):
    """SAM's embedding of a mask given on a view, and the learned vector of views without one.

    Attributes:
        skipping: whether a request without masks leaves out what they would need.
    """

    skipping = False

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        channels = config.mask_channels
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, channels // 4, 2, stride=2),
            ChannelNorm(channels // 4),
            nn.GELU(),
            nn.Conv2d(channels // 4, channels, 2, stride=2),
            ChannelNorm(channels),
            nn.GELU(),
            nn.Conv2d(channels, config.dim, 1),
        )
        self.no_mask_embed = nn.Embedding(1, config.dim)

    def forward(
        self,
        content: Float[Tensor, "#objects #views pixels dim"],
        masks: Float[Tensor, "masks1 1 4E 4E"],
        index: Int[Tensor, "objects views"],
    ) -> Float[Tensor, "objects views pixels dim"]:
        """An image's content and the dense embedding of every object on every view.

        Args:
            content: of each view, the same for all objects or not.
            masks: mask prompts as logits; row 0 stands for none and is ignored.
            index: row of `masks` that each (object, view) was given; 0 for none.
        """
        if not self.skipping:
            return self._with(content, masks, index)
        return torch.cond(masks.shape[0] == 1, self._without, self._with, (content, masks, index))

    def _with(self, content: Tensor, masks: Tensor, index: Tensor) -> Tensor:
        embedded = self.mask_downscaling(masks).flatten(2).transpose(1, 2)
        dense = embedded[index.flatten().long()].unflatten(0, index.shape)
        return content + torch.where((index == 0)[..., None, None], self.no_mask_embed.weight, dense)

    def _without(self, content: Tensor, masks: Tensor, index: Tensor) -> Tensor:
        return content + self.no_mask_embed.weight.expand(*index.shape, 1, -1)
