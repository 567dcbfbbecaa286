"""A small π³ as it is trained from nothing: with one more head, which only training needs."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from mvsam.networks.pi3 import Pi3, Pi3Output


class GaugedOutput(NamedTuple):
    """π³'s output, and where each patch's middle is in the frame that all views of a scene agree upon."""

    pi3: Pi3Output
    patch_points: Float[Tensor, "scenes views h w 3"]


class GaugedPi3(nn.Module):
    """π³ with one more linear map, which places every patch in the gauge's frame.

    Poses are pooled from a whole view; a point a patch says far more about what belongs together. The map is left out
    of the weights that are kept.
    """

    def __init__(self, pi3: Pi3) -> None:
        super().__init__()
        self.pi3 = pi3
        self.patch_head = nn.Linear(2 * pi3.config.dim, 3)

    def forward(self, images: Float[Tensor, "scenes views 3 height width"]) -> GaugedOutput:
        tokens = self.pi3.tokens(images)
        config, (scenes, views, _, height, width) = self.pi3.config, images.shape
        patches = self.patch_head(tokens[:, config.decoder_registers :]).float()
        grid = (scenes, views, height // config.patch, width // config.patch, 3)
        return GaugedOutput(self.pi3.heads(tokens, images.shape), patches.reshape(grid))
