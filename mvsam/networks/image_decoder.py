"""SAM2's own image decoder, one view at a time: what clicks in that view say, and no other view.

The network is the `sam2` package's. It serves whoever has the official checkpoints and no decoder of MV-SAM's yet:
prompts are found in other views by their 3-D points (`mvsam/scenes/projection.py`).
"""

from typing import Any

import torch
from sam2.modeling.sam.mask_decoder import MaskDecoder as Sam2MaskDecoder
from sam2.modeling.sam.prompt_encoder import PromptEncoder
from sam2.modeling.sam.transformer import TwoWayTransformer
from torch import Tensor, nn

from mvsam.networks.graphs import Graph, Sample
from mvsam.networks.presets import SAM2_DECODER, Preset

WIDTH = 256
MASK_CHANNELS = 16


class Sam2ImageDecoder(nn.Module):
    """SAM2.1's prompt encoder and mask decoder, under the official keys.

    Args:
        grid_side: E, of the image embedding.
    """

    def __init__(self, grid_side: int) -> None:
        super().__init__()
        embedding, image = (grid_side, grid_side), (16 * grid_side, 16 * grid_side)
        self.sam_prompt_encoder = PromptEncoder(WIDTH, embedding, image, MASK_CHANNELS)
        self.sam_mask_decoder = Sam2MaskDecoder(
            transformer_dim=WIDTH,
            transformer=TwoWayTransformer(depth=2, embedding_dim=WIDTH, num_heads=8, mlp_dim=2048),
            num_multimask_outputs=3,
            use_high_res_features=True,
            iou_prediction_use_sigmoid=True,
            pred_obj_scores=True,
            pred_obj_scores_mlp=True,
            use_multimask_token_for_obj_ptr=True,
            dynamic_multimask_via_stability=True,
        )

    def forward(
        self,
        image_embedding: Tensor,
        high_res_0: Tensor,
        high_res_1: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_prompts: Tensor,
        has_mask: Tensor,
    ) -> Tensor:
        """Logits [V, 4E, 4E] of one object in V views.

        A view with one point takes the most promising of the three masks that SAM2 offers; one with more takes the
        single mask, and the former where that is unstable.

        Args:
            image_embedding, high_res_0, high_res_1: of the image encoder.
            points: [V, Q, 2], x and y in pixels of the encoder's square.
            labels: int32 [V, Q]: 1 or 0.
            mask_prompts: logits [V, 1, 4E, 4E].
            has_mask: bool [V], whether they count.
        """
        encoder, decoder = self.sam_prompt_encoder, self.sam_mask_decoder
        sparse, without = encoder((points, labels), None, None)
        dense = torch.where(has_mask[:, None, None, None], encoder.mask_downscaling(mask_prompts), without)
        found: Any = decoder.predict_masks(
            image_embeddings=image_embedding,
            image_pe=encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            repeat_image=False,
            high_res_features=[high_res_0, high_res_1],
        )
        masks, scores = found[:2]
        several, _ = decoder._dynamic_multimask_via_stability(masks, scores)
        best = scores[:, 1:].argmax(dim=-1)
        one = masks[:, 1:].gather(1, best[:, None, None, None].expand(-1, 1, *masks.shape[2:]))
        is_one = torch.ones_like(labels).sum(dim=1) == 1  # in numbers: the graph is one for any number of points
        return torch.where(is_one[:, None, None], one[:, 0], several[:, 0])


def _example(preset: Preset, sample: Sample) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(sample.seed)
    v, q, e = sample.views, sample.prompts, preset.grid_side
    labels = torch.randint(0, 2, (v, q), generator=g, dtype=torch.int32)
    labels[:, 0] = 1
    return {
        "image_embedding": torch.randn(v, WIDTH, e, e, generator=g),
        "high_res_0": torch.randn(v, WIDTH // 8, 4 * e, 4 * e, generator=g),
        "high_res_1": torch.randn(v, WIDTH // 4, 2 * e, 2 * e, generator=g),
        "points": 16 * e * torch.rand(v, q, 2, generator=g),
        "labels": labels,
        "mask_prompts": 10 * torch.randn(v, 1, 4 * e, 4 * e, generator=g),
        "has_mask": torch.arange(v) % 2 == 1,
    }


GRAPH = Graph(
    SAM2_DECODER,
    SAM2_DECODER,
    lambda network: network,
    {
        "image_embedding": ("views", 256, "E", "E"),
        "high_res_0": ("views", 32, "4E", "4E"),
        "high_res_1": ("views", 64, "2E", "2E"),
        "points": ("views", "prompts", 2),
        "labels": ("views", "prompts"),
        "mask_prompts": ("views", 1, "4E", "4E"),
        "has_mask": ("views",),
    },
    {"mask_logits": ("views", "4E", "4E")},
    _example,
)
