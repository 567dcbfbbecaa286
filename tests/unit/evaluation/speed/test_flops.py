"""Operations are counted by hand and by machine; those of π³ are the published ones."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses import FakeTensorMode

from mvsam.evaluation.speed.flops import counted
from mvsam.networks.graphs import GRAPHS, Sample
from mvsam.networks.pi3 import Pi3
from mvsam.networks.presets import PRESETS

BATCH, HEADS, QUERIES, KEYS, CHANNELS = 2, 3, 5, 7, 8


@pytest.mark.parametrize("masked", [False, True])
def test_linear_and_attention_by_hand(masked: bool) -> None:
    layer = nn.Linear(CHANNELS, CHANNELS)
    q, k = torch.randn(BATCH, HEADS, QUERIES, CHANNELS), torch.randn(BATCH, HEADS, KEYS, CHANNELS)
    mask = torch.ones(BATCH, 1, QUERIES, KEYS, dtype=torch.bool) if masked else None

    def call() -> torch.Tensor:
        with torch.inference_mode():
            return F.scaled_dot_product_attention(layer(q), k, k, attn_mask=mask)

    result, flops = counted(call)
    linear = 2 * BATCH * HEADS * QUERIES * CHANNELS * CHANNELS
    scores = 2 * BATCH * HEADS * QUERIES * KEYS * CHANNELS
    assert flops == linear + 2 * scores, "scores, and the sums of values that they weigh"
    assert torch.equal(result, call())


def test_full_size_pi3_costs_what_its_reference_says() -> None:
    """76.8 TFLOP for 20 views of 392×518, attention included; on tensors without numbers, so it takes no memory."""
    graph = GRAPHS["pi3"]
    with FakeTensorMode(), torch.inference_mode():
        module = graph.wrap(Pi3(PRESETS["large"].pi3)).eval()
        inputs = graph.example(PRESETS["large"], Sample(20, patches=(28, 37)))
        _, flops = counted(lambda: module(**inputs))
    assert flops / 1e12 == pytest.approx(76.8, abs=0.05)
