"""Memory is estimated without computing anything, and grows as it must."""

import pytest

from export.memory import GIB, estimate
from export.profiles import Sizes
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import PRESETS, Precision

DEMO = PRESETS["demo"]


def of(name: str, precision: Precision, views: int) -> tuple[int, int, int]:
    shapes = Sizes(views=(views, views)).shapes(GRAPHS[name], DEMO)
    found = estimate(GRAPHS[name], DEMO, precision, {tensor: each[1] for tensor, each in shapes.items()})
    return found.weights, found.activations, found.scores


@pytest.mark.parametrize("name", [name for name in GRAPHS if name != "point_embedder"])
def test_fused_attention_grows_with_the_views_and_taken_apart_with_their_square(name: str) -> None:
    weights, small, scores = of(name, Precision.MIXED, 5)
    _, large, _ = of(name, Precision.MIXED, 20)
    assert scores == 0
    assert 3 < large / small < 4.5
    full, _, few = of(name, Precision.FP32, 5)
    _, _, many = of(name, Precision.FP32, 20)
    assert 0.45 < weights / full < 0.8
    assert many / few == pytest.approx(16 if name == "pi3" else 4)


def test_scores_are_heads_times_tokens_squared() -> None:
    _, _, scores = of("pi3", Precision.FP32, 8)
    tokens = 8 * (7 * 9 + DEMO.pi3.decoder_registers)
    assert scores == 2 * DEMO.pi3.heads * tokens**2 * 4
    assert scores < GIB
