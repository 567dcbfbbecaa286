"""The 3-D prompt encoder and mask decoder: the paper's equations, and the properties that a user relies on."""

import math
from dataclasses import replace

import pytest
import torch
from sam2.modeling.sam.transformer import TwoWayTransformer as Sam2Transformer

from mvsam.networks.graphs import GRAPHS, Sample
from mvsam.networks.image_encoder import ImageFeatures
from mvsam.networks.mask_decoder import MaskDecoder, PlacedGrid, PlacedPrompts
from mvsam.networks.parameters import count
from mvsam.networks.presets import (
    PRESETS,
    Attention,
    DecoderConfig,
    PositionInjection,
    Positions,
    PositionWidth,
)
from mvsam.networks.prompt_encoder import PositionEncoder
from mvsam.networks.seeded import seed_weights

DEMO = PRESETS["demo"]
Inputs = tuple[ImageFeatures, PlacedGrid, PlacedPrompts]


def decoder(**changes: object) -> MaskDecoder:
    network = MaskDecoder(replace(DEMO.decoder, **changes)).eval()
    seed_weights(network)
    return network


def inputs(objects: int = 2) -> Inputs:
    sample = Sample(views=4, objects=objects)
    embedding, *grid = GRAPHS["point_embedder"].example(DEMO, sample).values()
    _, _, high_res_0, high_res_1, *prompts = GRAPHS["mask_decoder"].example(DEMO, sample).values()
    return ImageFeatures(embedding, high_res_0, high_res_1), PlacedGrid(*grid), PlacedPrompts(*prompts)


def run(network: MaskDecoder, given: Inputs) -> torch.Tensor:
    with torch.inference_mode():
        return network(*given)


def test_fourier_embedding_is_equation_1() -> None:
    encoder = PositionEncoder(DecoderConfig())
    point = torch.tensor([0.3, -1.2, 2.5])
    found = encoder.fourier(point)
    for column in (0, 17, 63):
        angle = 2 * math.pi * sum(float(encoder.basis[axis, column]) * float(point[axis]) for axis in range(3))
        assert float(found[column]) == pytest.approx(math.sin(angle), abs=1e-5)
        assert float(found[64 + column]) == pytest.approx(math.cos(angle), abs=1e-5)


def test_embeddings_are_equations_2_and_3() -> None:
    encoder = PositionEncoder(DecoderConfig())
    points = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    low, labels = torch.tensor([False, True, False, True]), torch.tensor([1, 1, 0, 0])
    positive, negative = encoder.label.weight[1], encoder.label.weight[0]
    high_c, low_c = encoder.confidence.weight[0], encoder.confidence.weight[1]
    wave = encoder.fourier(points)
    expected = torch.stack(
        [
            wave[0] + positive + high_c,
            wave[1] + positive + low_c,
            wave[2] + negative + high_c,
            wave[3] + negative + low_c,
        ]
    )
    torch.testing.assert_close(encoder.embed_prompts(points, low, labels), encoder.lift(expected))
    torch.testing.assert_close(
        encoder.embed_points(points, low), encoder.lift(wave + torch.stack([high_c, low_c, high_c, low_c]))
    )


def test_positions_stay_fp32_in_a_half_precision_network() -> None:
    encoder = PositionEncoder(DecoderConfig())
    points = 3 * torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    expected = encoder.fourier(points)
    assert torch.equal(encoder.half().fourier(points), expected)
    assert encoder.embed_points(points, torch.zeros(500, dtype=torch.bool)).dtype is torch.float16


def test_transformer_is_sam2s() -> None:
    network = decoder()
    config = network.config
    official = Sam2Transformer(config.depth, config.dim, config.heads, config.mlp_dim).eval()
    official.load_state_dict(network.transformer.state_dict(), strict=True)
    generator = torch.Generator().manual_seed(0)
    image, position = (torch.randn(2, config.dim, 8, 8, generator=generator) for _ in range(2))
    tokens = torch.randn(2, 6, config.dim, generator=generator)
    keep = torch.ones(2, 6, dtype=torch.bool)
    with torch.inference_mode():
        expected = official(image, position, tokens)
        rows = [x.flatten(2).transpose(1, 2) for x in (image, position)]
        found = network.transformer(tokens, rows[0], tokens, rows[1], keep)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attention", Attention)
@pytest.mark.parametrize("injection", PositionInjection)
def test_appending_padding_changes_nothing(attention: Attention, injection: PositionInjection) -> None:
    network = decoder(attention=attention, injection=injection)
    features, grid, prompts = inputs()
    expected = run(network, (features, grid, prompts))
    padding = PlacedPrompts(
        torch.cat([prompts.points, 100 * torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(1))], dim=1),
        torch.cat([prompts.low_confidence, torch.ones(2, 3, dtype=torch.bool)], dim=1),
        torch.cat([prompts.labels, torch.full((2, 3), -1, dtype=torch.int32)], dim=1),
        prompts.masks,
        prompts.mask_index,
    )
    torch.testing.assert_close(run(network, (features, grid, padding)), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("attention", Attention)
@pytest.mark.parametrize("positions", [Positions.POINTMAP, Positions.NONE])
def test_permuting_views_permutes_masks(attention: Attention, positions: Positions) -> None:
    network = decoder(attention=attention, positions=positions)
    features, grid, prompts = inputs()
    order = torch.tensor([2, 0, 3, 1])
    permuted = (
        ImageFeatures(*(x[order] for x in features)),
        PlacedGrid(*(x[order] for x in grid)),
        prompts._replace(mask_index=prompts.mask_index[:, order]),
    )
    expected = run(network, (features, grid, prompts))
    torch.testing.assert_close(run(network, permuted), expected[:, order], rtol=0, atol=2e-5)


def test_single_view_attention_sees_one_view_and_full_attention_all() -> None:
    features, grid, prompts = inputs()
    changed = (ImageFeatures(*(torch.cat([x[:3], x[3:] + 1]) for x in features)), grid, prompts)
    single, full = decoder(), decoder(attention=Attention.FULL)
    torch.testing.assert_close(
        run(single, changed)[:, :3], run(single, (features, grid, prompts))[:, :3], rtol=0, atol=2e-5
    )
    assert (run(full, changed)[:, :3] - run(full, (features, grid, prompts))[:, :3]).abs().max() > 1e-3


def test_objects_do_not_influence_one_another() -> None:
    network = decoder()
    features, grid, prompts = inputs(objects=3)
    alone = prompts._replace(
        points=prompts.points[1:2],
        low_confidence=prompts.low_confidence[1:2],
        labels=prompts.labels[1:2],
        mask_index=prompts.mask_index[1:2],
    )
    expected = run(network, (features, grid, prompts))[1:2]
    torch.testing.assert_close(run(network, (features, grid, alone)), expected, rtol=0, atol=2e-5)


def test_a_mask_prompt_acts_on_its_own_view_only() -> None:
    network = decoder()
    features, grid, prompts = inputs(objects=1)
    without = run(network, (features, grid, prompts._replace(mask_index=torch.tensor([[0, 0, 0, 0]]))))
    with_one = run(network, (features, grid, prompts._replace(mask_index=torch.tensor([[0, 1, 0, 0]]))))
    difference = (with_one - without).abs().amax((0, 2, 3))
    assert difference[1] > 1e-3
    assert difference[[0, 2, 3]].max() < 2e-5


def test_image_positions_may_differ_from_view_to_view() -> None:
    network = decoder(positions=Positions.IMAGE)
    features, grid, prompts = inputs()
    flat = PlacedGrid(grid.points[..., :2], grid.low_confidence)
    same = prompts._replace(points=prompts.points[..., :2])
    shown = same._replace(points=same.points[:, None].expand(-1, 4, -1, -1).clone())
    torch.testing.assert_close(run(network, (features, flat, shown)), run(network, (features, flat, same)))
    shown.points[:, 2] += 0.5
    moved = (run(network, (features, flat, shown)) - run(network, (features, flat, same))).abs().amax((0, 2, 3))
    assert moved[2] > 1e-3 and moved[[0, 1, 3]].max() < 2e-5


def test_basis_without_lift_has_the_decoders_width() -> None:
    network = decoder(position_width=PositionWidth.FULL)
    assert network.position_encoder.basis.shape == (3, 128)
    assert run(network, inputs()).shape == (2, 4, 64, 64)


def test_parameter_count_explains_the_papers_4_1_million() -> None:
    network = MaskDecoder(PRESETS["large"].decoder)
    assert count(network.transformer) == 3_291_264
    upscaling = (network.upscale_1, network.upscale_norm, network.upscale_2)
    assert sum(count(part) for part in upscaling) == 73_952
    assert count(network.hypernetwork) == 139_808
    neck = 256 * (1152 + 576 + 288 + 144) + 4 * 256
    assert round((count(network) + neck) / 1e6, 1) == 4.1


def test_paired_objects_are_those_of_the_full_product() -> None:
    network = decoder()
    features, grid, prompts = inputs(objects=3)
    views = torch.tensor([2, 0, 2])
    chosen = prompts.mask_index[torch.arange(3), views]
    with torch.inference_mode():
        found = network.paired(features, grid, prompts._replace(mask_index=chosen[:, None]), views)
    expected = run(network, (features, grid, prompts))[torch.arange(3), views]
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)
