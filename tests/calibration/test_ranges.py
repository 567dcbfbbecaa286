"""Ranges are those of the FP32 network, errors those of the typed one, both found in the module where they arise."""

import numpy as np
import pytest
import torch

from calibration.ranges import Place, Side, measure
from mvsam.networks.presets import Precision
from tests.calibration.toy import GRAPH, INPUTS, Toy


def test_the_largest_magnitude_of_every_place_is_seen() -> None:
    network = Toy()
    ranges = measure(GRAPH, network, Precision.FP16, INPUTS)
    assert ranges.places[Place("", Side.INPUT)].largest == max(np.abs(each["x"]).max() for each in INPUTS)
    with torch.inference_mode():
        normed = torch.cat([network.norm(torch.from_numpy(each["x"])) for each in INPUTS])
        products = network.fc1(normed)
    assert ranges.places[Place("fc1", Side.INPUT)].largest == pytest.approx(normed.abs().max().item())
    assert ranges.places[Place("fc1", Side.OUTPUT)].largest == pytest.approx(products.abs().max().item())
    assert [str(place) for place in ranges.places][:3] == ["the network, input", "norm, input", "norm, output"]
    assert ranges.finite


@pytest.mark.parametrize(
    ("precision", "least", "most"), [(Precision.FP16, 1e-5, 2e-3), (Precision.BF16, 5e-4, 2e-2), (Precision.FP32, 0, 0)]
)
def test_errors_are_of_the_precision(precision: Precision, least: float, most: float) -> None:
    ranges = measure(GRAPH, Toy(), precision, INPUTS)
    assert least <= ranges.places[Place("fc2", Side.OUTPUT)].error <= most
    assert least <= ranges.errors["y"] <= most


def test_the_network_itself_stays_in_fp32() -> None:
    network = Toy()
    before = {name: parameter.clone() for name, parameter in network.named_parameters()}
    measure(GRAPH, network, Precision.FP16, INPUTS)
    assert all(torch.equal(parameter, before[name]) for name, parameter in network.named_parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_numbers_too_small_for_fp16_are_counted() -> None:
    network = Toy()
    with torch.no_grad():
        network.fc1.weight.mul_(1e-6)
    ranges = measure(GRAPH, network, Precision.FP16, INPUTS)
    assert ranges.places[Place("fc1", Side.OUTPUT)].subnormal_share > 0.99
    assert ranges.places[Place("norm", Side.OUTPUT)].subnormal_share < 0.01


def test_a_nan_of_the_fp32_network_counts_as_beyond_everything() -> None:
    ranges = measure(GRAPH, Toy(), Precision.FP16, [{"x": np.full((1, 8), np.nan, np.float32)}])
    assert ranges.places[Place("", Side.INPUT)].overflows
    assert not ranges.finite
