"""MV-SAM's promptable mask decoder (section 3): every view on its own, every prompt in every view."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from mvsam.networks.image_encoder import ImageFeatures
from mvsam.networks.layers import ChannelNorm, Mlp, added
from mvsam.networks.presets import Attention, DecoderConfig, PositionInjection
from mvsam.networks.prompt_encoder import NEGATIVE, MaskPromptEncoder, PositionEncoder
from mvsam.networks.two_way_transformer import TwoWayTransformer


class PlacedGrid(NamedTuple):
    """Where each cell of the image embeddings is: z-scored points and whether their confidence is low."""

    points: Float[Tensor, "views E E axes"]
    low_confidence: Bool[Tensor, "views E E"]


class PlacedPrompts(NamedTuple):
    """Prompts lifted to z-scored points, padded per object with label -1, and mask prompts with the row of each."""

    points: Float[Tensor, "objects prompts axes"]  # or objects views prompts axes, for positions in the image
    low_confidence: Bool[Tensor, "objects prompts"]
    labels: Int[Tensor, "objects prompts"]  # 1 positive, 0 negative, -1 padding
    masks: Float[Tensor, "masks1 1 4E 4E"]
    mask_index: Int[Tensor, "objects views"]  # row of `masks`; 0 for none


class PointEmbedding(NamedTuple):
    """Image embeddings with their places in the scene (section 3.2): all of a view's cells, whatever is asked of it."""

    content: Float[Tensor, "views pixels dim"]
    position: Float[Tensor, "views pixels dim"]  # the part that is added again in every attention


class MaskDecoder(nn.Module):
    """Point embeddings and prompt embeddings to one mask per object and view (eq. 4).

    SAM2's two-way transformer and upscaling with one mask token and no quality or object heads.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.position_encoder = PositionEncoder(config)
        self.mask_prompt_encoder = MaskPromptEncoder(config)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.transformer = TwoWayTransformer(config)
        self.upscale_1 = nn.ConvTranspose2d(dim, dim // 4, 2, stride=2)
        self.upscale_norm = ChannelNorm(dim // 4)
        self.upscale_2 = nn.ConvTranspose2d(dim // 4, dim // 8, 2, stride=2)
        self.hypernetwork = Mlp(dim, dim, dim, dim // 8)

    def forward(
        self, features: ImageFeatures, grid: PlacedGrid, prompts: PlacedPrompts
    ) -> Float[Tensor, "objects views 4E 4E"]:
        """Mask logits of every object in every view."""
        points = self.embed(features.image_embedding, grid)
        return self.decode(points, features.high_res_0, features.high_res_1, prompts)

    def embed(self, image_embedding: Float[Tensor, "views dim E E"], grid: PlacedGrid) -> PointEmbedding:
        """What depends on the scene only."""
        position = self.position_encoder.embed_points(grid.points, grid.low_confidence).flatten(1, 2)
        return PointEmbedding(image_embedding.flatten(2).transpose(1, 2) + position, position)

    def decode(
        self,
        points: PointEmbedding,
        high_res_0: Float[Tensor, "views dim8 4E 4E"],
        high_res_1: Float[Tensor, "views dim4 2E 2E"],
        prompts: PlacedPrompts,
    ) -> Float[Tensor, "objects views 4E 4E"]:
        """Mask logits of every object in every view of an embedded scene."""
        objects, views = prompts.mask_index.shape
        content, position = points
        image = self.mask_prompt_encoder(content[None], prompts.masks, prompts.mask_index)
        tokens, keep = self._tokens(prompts, views)

        joint = self.config.attention is Attention.FULL
        if joint:  # the same tokens see all views at once
            tokens, keep = tokens[:, 0], keep[:, 0]
            image, position = image.flatten(1, 2), position.flatten(0, 1)[None]
        else:
            tokens, keep = tokens.flatten(0, 1), keep.flatten(0, 1)
            image = image.flatten(0, 1)
        tokens, image = self._exchange(tokens, image, position, keep)
        kernel = self.hypernetwork(tokens[:, 0])
        if joint:
            kernel = kernel[:, None].expand(-1, views, -1).flatten(0, 1)
        image = image.reshape(objects * views, -1, self.config.dim)
        logits = self._masks(image, kernel, high_res_0, high_res_1)
        return logits.unflatten(0, (objects, views))

    def paired(
        self, features: ImageFeatures, grid: PlacedGrid, prompts: PlacedPrompts, views: Int[Tensor, " objects"]
    ) -> Float[Tensor, "objects 4E 4E"]:
        """Mask logits of each object in one view only: training on single views, many scenes in one call.

        Args:
            features: of all scenes' views.
            grid: likewise.
            prompts: of all objects; `mask_index` is objects x 1.
            views: the view that each object is decoded in.
        """
        content, position = self.embed(features.image_embedding, grid)
        tokens, keep = self._tokens(prompts, 1)
        content, position, high_res_0, high_res_1 = (
            x.index_select(0, views) for x in (content, position, features.high_res_0, features.high_res_1)
        )
        image = self.mask_prompt_encoder(content[:, None], prompts.masks, prompts.mask_index)[:, 0]
        tokens, image = self._exchange(tokens[:, 0], image, position, keep[:, 0])
        return self._masks(image, self.hypernetwork(tokens[:, 0]), high_res_0, high_res_1)

    def _exchange(
        self,
        tokens: Float[Tensor, "batch tokens dim"],
        image: Float[Tensor, "batch pixels dim"],
        position: Float[Tensor, "views pixels dim"],
        keep: Bool[Tensor, "batch tokens"],
    ) -> tuple[Float[Tensor, "batch tokens dim"], Float[Tensor, "batch pixels dim"]]:
        """The two-way transformer, with positions added again where the configuration says so."""
        again = self.config.injection is PositionInjection.EVERY_ATTENTION
        return self.transformer(tokens, image, tokens if again else None, position if again else None, keep)

    def _tokens(
        self, prompts: PlacedPrompts, views: int
    ) -> tuple[Float[Tensor, "objects views tokens dim"], Bool[Tensor, "objects views tokens"]]:
        """The mask token followed by the prompts, for every view, and which of them are not padding."""
        points = prompts.points if prompts.points.ndim == 4 else prompts.points[:, None]
        objects, several, count, _ = points.shape
        shape = (objects, several, count)
        low, labels = prompts.low_confidence[:, None].expand(shape), prompts.labels[:, None].expand(shape)
        embedded = self.position_encoder.embed_prompts(points, low, labels).expand(-1, views, -1, -1)
        token = self.mask_token.expand(objects, views, 1, -1)
        keep = F.pad(prompts.labels >= NEGATIVE, (1, 0), value=True)
        return torch.cat([token, embedded], dim=2), keep[:, None].expand(-1, views, -1)

    def _masks(
        self,
        image: Float[Tensor, "batch pixels dim"],
        kernel: Float[Tensor, "batch dim8"],
        high_res_0: Float[Tensor, "views dim8 4E 4E"],
        high_res_1: Float[Tensor, "views dim4 2E 2E"],
    ) -> Float[Tensor, "batch 4E 4E"]:
        """Upscales with the high-resolution features and takes the product with the mask token's kernel."""
        side = high_res_1.shape[-1] // 2
        x = image.transpose(1, 2).unflatten(2, (side, side))
        x = F.gelu(self.upscale_norm(added(self.upscale_1(x), high_res_1)))
        x = F.gelu(added(self.upscale_2(x), high_res_0))
        return (kernel[:, None].to(x.dtype) @ x.flatten(2)).unflatten(2, x.shape[2:])[:, 0]
