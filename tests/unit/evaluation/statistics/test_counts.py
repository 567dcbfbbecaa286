"""Counting without numbers gives what counting with them gives; what is attention and what is not is told apart."""

from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mvsam.evaluation.speed.cases import Task, noise
from mvsam.evaluation.speed.flops import counted
from mvsam.evaluation.speed.sam2_video import Sam2Video
from mvsam.evaluation.statistics.counts import (
    GRAPH_OF,
    META,
    Counts,
    Method,
    counts,
    of_mvsam,
    operations,
    without_numbers,
)
from mvsam.evaluation.statistics.document import PAPER_TFLOPS, PAPER_TRAINABLE
from mvsam.evaluation.statistics.subjects import encode_frames
from mvsam.networks.checkpoints import build_network
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import NETWORKS, PRESETS, Precision

DEMO = PRESETS["demo"]
CPU = torch.device("cpu")
FRAMES = 2
BATCH, HEADS, QUERIES, KEYS, CHANNELS = 2, 3, 5, 7, 8


@cache
def demo(frames: int) -> Counts:
    return counts(DEMO, frames)


@pytest.mark.parametrize("device", [CPU, META])
def test_layers_and_attention_by_hand(device: torch.device) -> None:
    layer = nn.Linear(CHANNELS, CHANNELS, device=device)
    q = torch.empty(BATCH, HEADS, QUERIES, CHANNELS, device=device)
    k = torch.empty(BATCH, HEADS, KEYS, CHANNELS, device=device)
    found = operations(lambda: F.scaled_dot_product_attention(layer(q), k, k))
    assert found.layers == BATCH * HEADS * QUERIES * CHANNELS * CHANNELS
    assert found.attention == 2 * 2 * BATCH * HEADS * QUERIES * KEYS * CHANNELS
    assert found.flops == 2 * found.multiply_adds == 2 * found.layers + found.attention


@pytest.mark.parametrize("task", GRAPH_OF)
def test_networks_cost_the_same_with_numbers(task: Task) -> None:
    graph = GRAPHS[GRAPH_OF[task]]
    height, width = demo(FRAMES).size
    inputs = noise(DEMO, graph, FRAMES, 1, (height // DEMO.pi3.patch, width // DEMO.pi3.patch))
    module = graph.module(build_network(DEMO, graph.network), Precision.FP32)
    with torch.inference_mode():
        _, flops = counted(lambda: module(**inputs))
    assert demo(FRAMES).operations[Method.MVSAM][task].flops == flops > 0


def test_sam2_video_costs_the_same_with_numbers() -> None:
    found = demo(FRAMES).operations[Method.SAM2_VIDEO]
    video = Sam2Video(DEMO, FRAMES, CPU)
    images = torch.zeros(FRAMES, 3, DEMO.encoder.side, DEMO.encoder.side)
    video.begin(cached=True)
    assert found[Task.PROPAGATION].flops == counted(video.propagate)[1]
    assert found[Task.ENCODER].flops == counted(lambda: encode_frames(video, images))[1]


def test_both_encode_the_same_frames_at_the_same_cost() -> None:
    by_method = demo(FRAMES).operations
    assert by_method[Method.MVSAM][Task.ENCODER] == by_method[Method.SAM2_VIDEO][Task.ENCODER]


def test_only_what_looks_across_views_grows_faster_than_their_number() -> None:
    networks = {name: without_numbers(DEMO, name) for name in NETWORKS}
    few, many = (of_mvsam(DEMO, networks, frames) for frames in (1, 4))
    for task in (Task.ENCODER, Task.EMBEDDER):
        assert many[task].flops == 4 * few[task].flops
    for task in (Task.CLICK, Task.PI3):
        assert many[task].layers == pytest.approx(4 * few[task].layers, rel=0.02), "but for what is once a scene"
    assert many[Task.CLICK].attention == 4 * few[Task.CLICK].attention
    assert many[Task.PI3].attention > 1.5 * 4 * few[Task.PI3].attention


def test_a_scene_and_a_click_are_the_sum_of_their_parts() -> None:
    for method in Method:
        parts = demo(FRAMES).operations[method].values()
        assert demo(FRAMES).total(method).flops == sum(each.flops for each in parts)
        assert demo(FRAMES).total(method).layers == sum(each.layers for each in parts)


def test_nothing_that_is_frozen_is_trainable() -> None:
    found = demo(FRAMES)
    decoder, encoder = found.parameters["mask_decoder"], found.parameters["sam2_encoder"]
    assert decoder < found.trainable[Method.MVSAM] < decoder + encoder
    assert found.trainable[Method.SAM2_VIDEO] < found.parameters["SAM2-Video"]


@pytest.mark.slow
def test_full_size_is_the_papers() -> None:
    """Table 8, with what the document says of its convention."""
    found = counts(PRESETS["large"], 20)
    assert {method: round(number / 1e6, 1) for method, number in found.trainable.items()} == PAPER_TRAINABLE
    layers = {method: found.total(method).layers / 1e12 for method in Method}
    assert layers[Method.SAM2_VIDEO] == pytest.approx(PAPER_TFLOPS[Method.SAM2_VIDEO], rel=0.01)
    assert layers[Method.MVSAM] == pytest.approx(0.92 * PAPER_TFLOPS[Method.MVSAM], rel=0.01)
