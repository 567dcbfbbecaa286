"""A decoder started from SAM2.1 holds SAM2.1's own tensors, and says which."""

import json
from pathlib import Path

import pytest
import torch
from sam2.modeling.sam.transformer import TwoWayTransformer
from torch import Tensor, nn

from mvsam.networks.checkpoints import CheckpointError
from mvsam.networks.mask_decoder import MaskDecoder
from mvsam.networks.presets import PINS, PRESETS
from mvsam.networks.seeded import seeded_tensor
from mvsam.networks.weights import official_sam2_listing
from mvsam.training.from_sam2 import start_from_sam2
from mvsam.training.initial_weights import decoder_model

DECODER = ("sam_mask_decoder.", "sam_prompt_encoder.")


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Random tensors under the names and shapes of a whole official checkpoint."""
    listing = official_sam2_listing(PRESETS["tiny"])
    return {name: torch.from_numpy(seeded_tensor(name, shape).copy()) for name, shape in listing.items()}


@pytest.fixture
def checkpoint(tmp_path: Path, state: dict[str, Tensor]) -> Path:
    path = tmp_path / "sam2.1_hiera_tiny.pt"
    torch.save({"model": state}, path)
    return path


def test_what_matches_is_taken_and_the_rest_named(checkpoint: Path, state: dict[str, Tensor], tmp_path: Path) -> None:
    decoder = MaskDecoder(PRESETS["tiny"].decoder)
    before = {key: tensor.clone() for key, tensor in decoder.state_dict().items()}
    match = start_from_sam2(decoder, checkpoint, tmp_path / "weights")
    now = decoder.state_dict()
    assert match.new == sorted(key for key in now if key.startswith("position_encoder."))
    assert sorted(match.taken + match.new) == sorted(now)
    for key in match.new:
        assert torch.equal(now[key], before[key])
    for ours, official in {
        "mask_token": state["sam_mask_decoder.mask_tokens.weight"][None, :1],
        "upscale_1.weight": state["sam_mask_decoder.output_upscaling.0.weight"],
        "upscale_norm.bias": state["sam_mask_decoder.output_upscaling.1.bias"],
        "upscale_2.bias": state["sam_mask_decoder.output_upscaling.3.bias"],
        "hypernetwork.layers.2.weight": state["sam_mask_decoder.output_hypernetworks_mlps.0.layers.2.weight"],
        "mask_prompt_encoder.no_mask_embed.weight": state["sam_prompt_encoder.no_mask_embed.weight"],
        "mask_prompt_encoder.mask_downscaling.6.weight": state["sam_prompt_encoder.mask_downscaling.6.weight"],
    }.items():
        assert torch.equal(now[ours], official), ours
    assert {name.split(".")[1] for name in match.unused} == {
        "iou_token",
        "obj_score_token",
        "output_hypernetworks_mlps",
        "iou_prediction_head",
        "pred_obj_score_head",
        "pe_layer",
        "point_embeddings",
        "not_a_point_embed",
    }
    used = len([name for name in state if name.startswith(DECODER)]) - len(match.unused)
    assert used == len(match.taken) + 4, "conv_s0 and conv_s1 are the image encoder's"


def test_the_transformer_computes_what_sam2s_does(checkpoint: Path, state: dict[str, Tensor], tmp_path: Path) -> None:
    decoder = MaskDecoder(PRESETS["tiny"].decoder)
    start_from_sam2(decoder, checkpoint, tmp_path / "weights")
    official = TwoWayTransformer(depth=2, embedding_dim=256, num_heads=8, mlp_dim=2048, activation=nn.ReLU)
    prefix = "sam_mask_decoder.transformer."
    official.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    tokens, image, positions = torch.randn(2, 5, 256), torch.randn(2, 256, 4, 4), torch.randn(2, 256, 4, 4)
    with torch.no_grad():
        expected = official(image, positions, tokens)
        flat = (x.flatten(2).transpose(1, 2) for x in (image, positions))
        content, position = flat
        found = decoder.transformer(tokens, content, tokens, position, torch.ones(2, 5, dtype=torch.bool))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_a_narrower_decoder_takes_what_fits(checkpoint: Path, tmp_path: Path) -> None:
    match = start_from_sam2(MaskDecoder(PRESETS["demo"].decoder), checkpoint, tmp_path / "weights")
    assert "transformer.layers.0.mlp.layers.0.weight" in match.new
    assert "transformer.layers.0.self_attn.q_proj.weight" in match.taken


def test_new_weights_come_of_the_seed_and_the_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    def model(seed: int) -> MaskDecoder:
        return decoder_model(
            PRESETS["tiny"], train_encoder=False, seed=seed, weights=tmp_path, own=False, sam2=checkpoint
        ).decoder

    one, same, other = (model(seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert torch.equal(one["mask_token"], other["mask_token"])
    assert not torch.equal(one["position_encoder.lift.weight"], other["position_encoder.lift.weight"])


def test_a_checkpoint_among_the_weights_is_pinned(checkpoint: Path, state: dict[str, Tensor], tmp_path: Path) -> None:
    decoder = MaskDecoder(PRESETS["demo"].decoder)
    start_from_sam2(decoder, checkpoint, tmp_path)
    assert list(json.loads((tmp_path / PINS).read_text())) == [checkpoint.name]
    torch.save({"model": state | {"no_mem_embed": state["no_mem_embed"] + 1}}, checkpoint)
    with pytest.raises(CheckpointError, match="was pinned at its first use"):
        start_from_sam2(decoder, checkpoint, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist: `make weights` says where"),
        ({"weights": {}}, "has no state dict under 'model'"),
        ({"model": {"head.weight": torch.zeros(3)}}, "holds nothing of SAM2.1's mask decoder"),
        ({"model": nn.Linear(2, 2)}, "cannot be read as plain tensors"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "file.pt"
    if content is not None:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        start_from_sam2(MaskDecoder(PRESETS["demo"].decoder), path, tmp_path / "weights")
