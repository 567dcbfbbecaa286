"""SAM2.1's image encoder (Hiera trunk, feature pyramid, the decoder's 1x1 convolutions) from the `sam2` package."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from sam2.modeling.backbones.hieradet import Hiera, MultiScaleBlock
from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
from torch import Tensor, nn

from mvsam.networks import efficientnet_lite
from mvsam.networks.efficientnet_lite import EfficientNetLite
from mvsam.networks.precision import Islands
from mvsam.networks.presets import EfficientNetConfig, EncoderConfig

WIDTH = 256  # of SAM2's feature pyramid, in every size


class ImageFeatures(NamedTuple):
    """What the mask decoder needs of each view; E is the encoder's side / 16."""

    image_embedding: Float[Tensor, "views 256 E E"]
    high_res_0: Float[Tensor, "views 32 4E 4E"]
    high_res_1: Float[Tensor, "views 64 2E 2E"]


class FoldedHiera(Hiera):
    """Hiera whose positional embedding for the one size it sees is computed once: no bicubic Resize in the graph."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(
            embed_dim=config.embed_dim,
            num_heads=config.heads,
            stages=config.stages,
            global_att_blocks=config.global_blocks,
            window_pos_embed_bkg_spatial_size=config.background,
            window_spec=config.windows,
        )
        self.folded: Tensor | None
        self.register_buffer("folded", None, persistent=False)

    def fold(self, side: int) -> None:
        """Keeps the positional embedding for images of `side` pixels; parameters must not change afterwards."""
        with torch.no_grad():
            self.folded = super()._get_pos_embed((side // 4, side // 4)).contiguous()

    def _get_pos_embed(self, hw: tuple[int, int]) -> Tensor:
        return super()._get_pos_embed(hw) if self.folded is None else self.folded.to(self.pos_embed.dtype)


class Sam2ImageEncoder(nn.Module):
    """Photographs to the features that SAM2's image predictor hands to its mask decoder.

    `no_mem_embed` is added to the stride-16 map, and `conv_s0`, `conv_s1` (the mask decoder's weights) are applied
    here, so that a view's features take 8.4 MB in FP16 instead of 44.
    """

    def __init__(self, config: EncoderConfig | EfficientNetConfig) -> None:
        super().__init__()
        self.config = config
        trunk = EfficientNetLite() if isinstance(config, EfficientNetConfig) else FoldedHiera(config)
        channels: Any = trunk.channel_list  # whose type sam2 does not tell
        neck = FpnNeck(
            position_encoding=nn.Identity(),  # parameter-free, and unused by a single image
            d_model=WIDTH,
            backbone_channel_list=channels,
            fpn_top_down_levels=[2, 3],
            fpn_interp_model="nearest",
        )
        self.image_encoder = ImageEncoder(trunk, neck, scalp=1)
        self.conv_s0 = nn.Conv2d(WIDTH, WIDTH // 8, 1)
        self.conv_s1 = nn.Conv2d(WIDTH, WIDTH // 4, 1)
        self.no_mem_embed = nn.Parameter(torch.zeros(1, 1, WIDTH))

    def fold_positions(self) -> None:
        """Fixes the positional embedding for export; weights must not change afterwards."""
        trunk = self.image_encoder.trunk
        if isinstance(trunk, FoldedHiera):
            trunk.fold(self.config.side)

    def forward(self, images: Float[Tensor, "views 3 side side"]) -> ImageFeatures:
        """Features of each view on its own.

        Args:
            images: RGB resized to the square and normalised with ImageNet's mean and deviation.
        """
        high_res_0, high_res_1, embedding = self.image_encoder(images)["backbone_fpn"]
        return ImageFeatures(
            embedding + self.no_mem_embed.reshape(1, -1, 1, 1), self.conv_s0(high_res_0), self.conv_s1(high_res_1)
        )


# Between stages the stream itself goes through it.
ISLANDS: dict[type[nn.Module], Islands] = {MultiScaleBlock: Islands(stream=("proj",)), **efficientnet_lite.ISLANDS}
