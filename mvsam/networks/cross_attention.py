"""Attention between an image's many pixels and a prompt's few tokens. Names follow SAM2's, so that its weights fit.

SAM2 projects every pixel to queries, keys and values. With few tokens it is cheaper to project the tokens' side only,
into the space of the pixels: products are associative, and the results are the same but for rounding.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


class CrossAttention(nn.Module):
    """Multi-head attention in a narrower space, over the keys that `keep` allows."""

    def __init__(self, dim: int, heads: int, downsample: int = 1) -> None:
        super().__init__()
        inner = dim // downsample
        self.heads = heads
        self.q_proj = nn.Linear(dim, inner)
        self.k_proj = nn.Linear(dim, inner)
        self.v_proj = nn.Linear(dim, inner)
        self.out_proj = nn.Linear(inner, dim)

    def forward(
        self,
        q: Float[Tensor, "batch queries dim"],
        k: Float[Tensor, "batch keys dim"],
        v: Float[Tensor, "batch keys dim"],
        keep: Bool[Tensor, "batch 1 1 keys"] | None = None,
    ) -> Float[Tensor, "batch queries dim"]:
        q, k, v = self.split(self.q_proj(q)), self.split(self.k_proj(k)), self.split(self.v_proj(v))
        mask = None if keep is None else keep.expand(-1, -1, q.shape[2], -1)
        return self.joined(F.scaled_dot_product_attention(q, k, v, attn_mask=mask))

    def split(self, x: Float[Tensor, "batch length inner"]) -> Float[Tensor, "batch heads length channels"]:
        """By head."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def joined(self, x: Float[Tensor, "batch heads length channels"]) -> Float[Tensor, "batch length dim"]:
        """Of all heads, projected."""
        return self.out_proj(x.transpose(1, 2).flatten(2))

    def few(self, tokens: Float[Tensor, "batch tokens dim"]) -> bool:
        """Whether so many tokens cost less unprojected: each of them counts once for every head."""
        return tokens.shape[1] * self.heads <= self.q_proj.out_features


class TokensToImage(CrossAttention):
    """Tokens look at the pixels of an image.

    Attributes:
        reassociated: whether few tokens take the cheaper order of products.
    """

    reassociated = False

    def forward(
        self,
        q: Float[Tensor, "batch tokens dim"],
        k: Float[Tensor, "batch pixels dim"],
        v: Float[Tensor, "batch pixels dim"],
        keep: None = None,
    ) -> Float[Tensor, "batch tokens dim"]:
        """As `CrossAttention`, with all pixels seen."""
        if not self.reassociated:
            return super().forward(q, k, v)
        return torch.cond(self.few(q), self._looked, super().forward, (q, k, v))

    def _looked(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """softmax(q W_kᵀ kᵀ) v, projected afterwards.

        The bias of keys adds the same to all logits of a token, and weights that sum to one carry that of values
        through.
        """
        queries = self.split(self.q_proj(q))
        folded = (queries @ self.split(self.k_proj.weight.transpose(0, 1)[None]).transpose(2, 3)).flatten(1, 2)
        scale = queries.shape[-1] ** -0.5
        seen = F.scaled_dot_product_attention(folded[:, None], k[:, None], v[:, None], scale=scale)[:, 0]
        values = seen.unflatten(1, (self.heads, -1)) @ self.split(self.v_proj.weight.transpose(0, 1)[None])
        return self.joined(values + self.v_proj.bias.unflatten(0, (self.heads, 1, -1)))


class ImageToTokens(CrossAttention):
    """The pixels of an image look at tokens.

    Attributes:
        reassociated: whether few tokens take the cheaper order of products.
    """

    reassociated = False

    def forward(
        self,
        q: Float[Tensor, "batch pixels dim"],
        k: Float[Tensor, "batch tokens dim"],
        v: Float[Tensor, "batch tokens dim"],
        keep: Bool[Tensor, "batch 1 1 tokens"],
    ) -> Float[Tensor, "batch pixels dim"]:
        """As `CrossAttention`."""
        if not self.reassociated:
            return super().forward(q, k, v, keep)
        return torch.cond(self.few(k), self._answered, super().forward, (q, k, v, keep))

    def _answered(self, q: Tensor, k: Tensor, v: Tensor, keep: Tensor) -> Tensor:
        """softmax(q (W_qᵀ k)ᵀ + b_q kᵀ) (v W_o)."""
        keys, values = self.split(self.k_proj(k)), self.split(self.v_proj(v))
        keys = keys * keys.shape[-1] ** -0.5
        folded = (keys @ self.split(self.q_proj.weight.transpose(0, 1)[None]).transpose(2, 3)).flatten(1, 2)
        bias = (keys * self.q_proj.bias.unflatten(0, (self.heads, 1, -1))).sum(-1)
        bias = torch.where(keep[:, 0], bias, -torch.inf)
        logits = (q @ folded.transpose(1, 2)).unflatten(2, (self.heads, -1)) + bias[:, None]
        out = (values @ self.out_proj.weight.transpose(0, 1).unflatten(0, (self.heads, -1))).flatten(1, 2)
        return logits.softmax(-1).flatten(2) @ out + self.out_proj.bias


def reassociate(network: nn.Module) -> None:
    """Makes every such attention of a network take the cheaper order where there are few tokens, in place."""
    for module in network.modules():
        if isinstance(module, TokensToImage | ImageToTokens):
            module.reassociated = True
