"""SAM2's own decoder behind our tensors, against the `sam2` package's predictor."""

from typing import Any

import pytest
import torch

from mvsam.evaluation.sam2_predictor import video_predictor
from mvsam.networks.checkpoints import WeightSource, build_network, check_listing, load_network, shapes_of
from mvsam.networks.graphs import Sample
from mvsam.networks.image_decoder import GRAPH
from mvsam.networks.presets import PRESETS, SAM2_DECODER
from mvsam.networks.weights import decoder_state

DEMO = PRESETS["demo"]


@pytest.fixture(scope="module")
def predictor() -> Any:
    return video_predictor(DEMO)


@pytest.mark.parametrize("prompts", [1, 3])
@torch.inference_mode()
def test_every_view_is_as_sam2_alone_would_have_it(predictor, tmp_path, prompts):
    network = build_network(DEMO, "sam2_decoder").eval()
    state = decoder_state(predictor.state_dict())
    check_listing(shapes_of(network), {k: tuple(v.shape) for k, v in state.items()}, tmp_path)
    network.load_state_dict(state)
    inputs = GRAPH.example(DEMO, Sample(views=4, prompts=prompts))
    found = network(**inputs)
    encoder, decoder = predictor.sam_prompt_encoder, predictor.sam_mask_decoder
    for view in range(4):
        here = {name: tensor[view : view + 1] for name, tensor in inputs.items()}
        points = here["points"], here["labels"]
        sparse, dense = encoder(points, None, here["mask_prompts"] if here["has_mask"] else None)
        masks, scores, _, _ = decoder(
            image_embeddings=here["image_embedding"],
            image_pe=encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=prompts == 1,
            repeat_image=False,
            high_res_features=[here["high_res_0"], here["high_res_1"]],
        )
        assert torch.allclose(found[view], masks[0, scores[0].argmax()], atol=1e-4)


def test_seeded_weights_are_the_same_in_every_process(tmp_path):
    states = []
    for other in (1, 2):
        torch.manual_seed(other)
        network, _ = load_network(DEMO, SAM2_DECODER, WeightSource.SEEDED, tmp_path)
        states.append(network.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
