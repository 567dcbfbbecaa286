"""First weights under which attention looks for what is alike, and at the same place, from the first step on.

With independent random maps for queries and keys, likeness means nothing until training has found that it should; a
network that starts from nothing spends its first thousands of examples on that.
"""

import torch
from torch import nn

from mvsam.networks.mask_decoder import MaskDecoder
from mvsam.networks.pi3 import Pi3
from mvsam.networks.two_way_transformer import CrossAttention
from mvsam.networks.vit import LayerScale

GAIN = 1.5  # of the decoder's queries and keys: a prompt's own place stands out by some six logits
POSITION_DEVIATION = 0.02


def start_decoder(decoder: MaskDecoder) -> None:
    """Equal orthogonal maps for queries and keys between prompts and image, in place: a prompt sees its own place."""
    for name, attention in decoder.transformer.named_modules():
        if isinstance(attention, CrossAttention) and not name.endswith("self_attn"):
            nn.init.orthogonal_(attention.q_proj.weight, gain=GAIN)
            nn.init.zeros_(attention.q_proj.bias)
            attention.k_proj.load_state_dict(attention.q_proj.state_dict())


def start_pi3(network: Pi3) -> None:
    """Branches at full strength, positions that differ, queries like keys between views, in place.

    The official decoder's branches begin at a hundredth, which suits weights that were trained before.
    """
    nn.init.normal_(network.encoder.pos_embed, std=POSITION_DEVIATION)
    nn.init.normal_(network.register_token, std=POSITION_DEVIATION)
    for module in network.modules():
        if isinstance(module, LayerScale):
            nn.init.ones_(module.gamma)
    dim = network.config.dim
    with torch.no_grad():
        for block in network.decoder[1::2]:
            qkv = block.get_submodule("attn.qkv")
            for part in (qkv.weight, qkv.bias):
                assert isinstance(part, torch.Tensor)
                part[:dim] = part[dim : 2 * dim]
