"""Before any training a prompt looks at its own place."""

import torch

from mvsam.networks.mask_decoder import MaskDecoder
from mvsam.networks.pi3 import Pi3
from mvsam.networks.presets import PRESETS, Pi3Config
from mvsam.networks.two_way_transformer import TwoWayBlock
from mvsam.training.matching_start import start_decoder, start_pi3


def share_at_own_place(decoder: MaskDecoder) -> float:
    """Of eight prompts' attention to 256 cells, how much falls on the cell whose point the prompt has."""
    generator = torch.Generator().manual_seed(0)
    cells = torch.randn(1, 256, 3, generator=generator)
    encoder = decoder.position_encoder
    grid = encoder.embed_points(cells, torch.zeros(1, 256, dtype=torch.bool))
    points = cells[:, :8]
    prompts = encoder.embed_prompts(points, torch.zeros(1, 8, dtype=torch.bool), torch.ones(1, 8, dtype=torch.int32))
    block = decoder.transformer.layers[0]
    assert isinstance(block, TwoWayBlock)
    attention = block.cross_attn_token_to_image
    q, k = (
        layer(2 * x).unflatten(-1, (attention.heads, -1)).transpose(1, 2)
        for layer, x in ((attention.q_proj, prompts), (attention.k_proj, grid))
    )
    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)[0]
    return float(weights[:, range(8), range(8)].mean())


def test_prompts_look_at_their_own_place() -> None:
    torch.manual_seed(0)
    decoder = MaskDecoder(PRESETS["demo"].decoder)
    with torch.inference_mode():
        assert share_at_own_place(decoder) < 0.02, "four thousandths would be chance"
        start_decoder(decoder)
        assert share_at_own_place(decoder) > 0.05


def test_queries_and_keys_may_part_in_training() -> None:
    decoder = MaskDecoder(PRESETS["demo"].decoder)
    start_decoder(decoder)
    attention = decoder.transformer.final_attn_token_to_image
    assert torch.equal(attention.q_proj.weight, attention.k_proj.weight)
    with torch.no_grad():
        attention.q_proj.weight.zero_()
    assert bool(attention.k_proj.weight.any()), "equal, not shared"


def test_views_are_compared_by_likeness() -> None:
    network = Pi3(Pi3Config(dim=48, heads=2, encoder_depth=1, decoder_depth=4, head_depth=1, camera_dim=32))
    start_pi3(network)
    for index, block in enumerate(network.decoder):
        weight = block.get_submodule("attn").get_submodule("qkv").weight
        assert isinstance(weight, torch.Tensor)
        assert torch.equal(weight[:48], weight[48:96]) == bool(index % 2), "only where views attend to one another"
    scales = [parameter for name, parameter in network.named_parameters() if name.endswith("gamma")]
    assert scales and all(bool((scale == 1).all()) for scale in scales)
    assert float(network.encoder.pos_embed.detach().std()) > 0.01
