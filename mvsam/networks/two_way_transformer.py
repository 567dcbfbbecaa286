"""SAM2's two-way transformer, with padded prompts masked out. Names follow SAM2's, so that its weights fit."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from mvsam.networks.cross_attention import CrossAttention, ImageToTokens, TokensToImage
from mvsam.networks.layers import Mlp, added
from mvsam.networks.presets import DecoderConfig


class TwoWayBlock(nn.Module):
    """Tokens attend to themselves and to the image, then the image attends to the tokens."""

    def __init__(self, config: DecoderConfig, *, first: bool) -> None:
        super().__init__()
        dim, heads, down = config.dim, config.heads, config.attention_downsample
        self.first = first
        self.self_attn = CrossAttention(dim, heads)
        self.norm1 = nn.LayerNorm(dim)
        self.cross_attn_token_to_image = TokensToImage(dim, heads, down)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, config.mlp_dim, dim)
        self.norm3 = nn.LayerNorm(dim)
        self.norm4 = nn.LayerNorm(dim)
        self.cross_attn_image_to_token = ImageToTokens(dim, heads, down)

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens dim"],
        image: Float[Tensor, "batch pixels dim"],
        token_positions: Float[Tensor, "batch tokens dim"] | None,
        image_positions: Float[Tensor, "views pixels dim"] | None,
        keep: Bool[Tensor, "batch 1 1 tokens"],
    ) -> tuple[Float[Tensor, "batch tokens dim"], Float[Tensor, "batch pixels dim"]]:
        if self.first:
            tokens = self.self_attn(tokens, tokens, tokens, keep)
        else:
            q = placed(tokens, token_positions)
            tokens = tokens + self.self_attn(q, q, tokens, keep)
        tokens = self.norm1(tokens)
        k = placed(image, image_positions)
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(placed(tokens, token_positions), k, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        update = self.cross_attn_image_to_token(k, placed(tokens, token_positions), tokens, keep)
        return tokens, self.norm4(image + update)


class TwoWayTransformer(nn.Module):
    """A stack of two-way blocks and a last look of the tokens at the image."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TwoWayBlock(config, first=i == 0) for i in range(config.depth))
        self.final_attn_token_to_image = TokensToImage(config.dim, config.heads, config.attention_downsample)
        self.norm_final_attn = nn.LayerNorm(config.dim)

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens dim"],
        image: Float[Tensor, "batch pixels dim"],
        token_positions: Float[Tensor, "batch tokens dim"] | None,
        image_positions: Float[Tensor, "views pixels dim"] | None,
        keep: Bool[Tensor, "batch tokens"],
    ) -> tuple[Float[Tensor, "batch tokens dim"], Float[Tensor, "batch pixels dim"]]:
        """Tokens and image after the exchange. Tokens where `keep` is false influence nothing but themselves."""
        mask = keep[:, None, None]
        for layer in self.layers:
            tokens, image = layer(tokens, image, token_positions, image_positions, mask)
        update = self.final_attn_token_to_image(placed(tokens, token_positions), placed(image, image_positions), image)
        return self.norm_final_attn(tokens + update), image


def placed(x: Tensor, positions: Tensor | None) -> Tensor:
    """`x` with its positional part added again, where that is wanted."""
    return x if positions is None else added(x, positions)
