"""Small layers of SAM's decoder."""

import itertools

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def added(x: Float[Tensor, "batch ..."], y: Float[Tensor, "views ..."]) -> Float[Tensor, "batch ..."]:
    """Adds to a batch of objects × views what is the same for all objects, without a copy for each of them."""
    return (x.reshape(-1, *y.shape) + y).reshape(x.shape)


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of an image (SAM2's LayerNorm2d), as one op between two transposes."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(
        self, input: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Mlp(nn.Module):
    """Linear layers with ReLU between them; names follow SAM2's."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))

    def forward(self, x: Float[Tensor, "*batch a"]) -> Float[Tensor, "*batch b"]:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)
