"""A decoder with places in the picture, in the place of SAM2's image decoder: what MV-SAM is without its pointmaps."""

import numpy as np
import torch

from mvsam.networks.image_encoder import ImageFeatures
from mvsam.networks.mask_decoder import MaskDecoder, PlacedGrid, PlacedPrompts
from mvsam.scenes.projection import FEATURES


class ImagePositionsSession:
    """Takes what SAM2's image decoder takes: features and clicks of V views, each on its own.

    Args:
        decoder: trained, with positions in the image.
    """

    def __init__(self, decoder: MaskDecoder) -> None:
        self._decoder = decoder
        self.types: dict[str, np.dtype] = {}

    @torch.inference_mode()
    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`mask_logits` float32 [V, 4E, 4E] of `points` [V, n, 2] in pixels of the encoder's square, and `labels`."""
        features = ImageFeatures(*(torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in FEATURES))
        views, _, side, _ = features.image_embedding.shape
        centres = (2 * torch.arange(side) + 1) / side - 1
        cells = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1)
        grid = PlacedGrid(cells.expand(views, -1, -1, -1), torch.zeros(views, side, side, dtype=torch.bool))
        # Pixels of the square have their centres at integers; positions are -1 and 1 at the picture's edges.
        places = (torch.from_numpy(inputs["points"]) + 0.5) / (8 * side) - 1
        labels = torch.from_numpy(np.ascontiguousarray(inputs["labels"])).int()
        prompts = PlacedPrompts(
            places.float(),
            torch.zeros(labels.shape, dtype=torch.bool),
            labels,
            torch.zeros(1, 1, 4 * side, 4 * side),
            torch.zeros(views, 1, dtype=torch.int32),
        )
        # Every view is asked about an object of its own: the one with that view's clicks.
        logits = self._decoder.paired(features, grid, prompts, torch.arange(views))
        return {"mask_logits": logits.float().numpy()}
