"""Cutting a scene's inputs into views at a time and joining the outputs changes nothing."""

import numpy as np
import torch

from mvsam.evaluation.speed.cases import Case, Task, chunks, gathered, noise
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import PRESETS

GRAPH = GRAPHS["mask_decoder"]


def test_chunks_are_the_case_and_nothing_else() -> None:
    inputs = noise(PRESETS["demo"], GRAPH, views=5, prompts=12, patches=(8, 8))
    pieces = list(chunks(GRAPH, inputs, Case(Task.CLICK, views=4, prompts=3), at_once=3))
    assert [len(piece["point_embedding"]) for piece in pieces] == [3, 1]
    assert [piece["mask_index"].shape for piece in pieces] == [(1, 3), (1, 1)]
    assert torch.equal(torch.cat([piece["high_res_0"] for piece in pieces]), inputs["high_res_0"][:4])
    assert all(piece["prompt_points"].shape == (1, 3, 3) for piece in pieces)


def test_twelve_prompts_are_ten_positive_and_two_negative_ones_and_nothing_is_zero() -> None:
    inputs = noise(PRESETS["demo"], GRAPH, views=1, prompts=12, patches=(8, 8))
    assert inputs["prompt_labels"].tolist() == [[1] * 10 + [0] * 2]
    for name in ("point_embedding", "high_res_0", "high_res_1", "point_position", "prompt_points"):
        assert 0.8 < float(inputs[name].std()) < 1.3, name


def test_outputs_are_joined_along_the_views_of_each() -> None:
    logits = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 2, 2)
    poses = torch.randn(3, 4, 4)
    found = gathered(
        [
            {"mask_logits": logits[:, :2]},
            {"camera_poses": poses[:1]},
            {"mask_logits": logits[:, 2:]},
            {"camera_poses": poses[1:]},
        ]
    )
    assert np.array_equal(found["mask_logits"].numpy(), logits)
    assert torch.equal(found["camera_poses"], poses)
