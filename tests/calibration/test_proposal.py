"""What FP16 does not hold is named where it arises, and the remedy that is proposed is one."""

import copy

import numpy as np
import pytest
import torch

from calibration.proposal import Proposal, propose
from mvsam.networks.checkpoints import build_network
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.pi3 import Pi3
from mvsam.networks.presets import PRESETS, Precision
from mvsam.networks.seeded import seed_weights
from tests.calibration.toy import GRAPH, INPUTS, Toy

PLANTED = 2e5  # FP16 ends at 65,504


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture(scope="module")
def pi3() -> Pi3:
    network = build_network(PRESETS["demo"], "pi3")
    seed_weights(network)
    assert isinstance(network, Pi3)
    return network


def proposed(network: Toy) -> Proposal:
    return propose(GRAPH, network, INPUTS)


def test_a_tame_network_needs_nothing(toy: Toy) -> None:
    proposal = proposed(toy)
    assert (proposal.islands, proposal.precision, proposal.overflowing) == ([], Precision.FP16, [])
    assert proposal.sound


@torch.no_grad()
def test_products_on_both_sides_of_a_large_number_become_islands(toy: Toy) -> None:
    toy.fc1.bias[3], toy.fc2.weight[:, 3] = PLANTED, 1e-6
    proposal = proposed(toy)
    assert [str(place) for place in proposal.overflowing] == ["fc1, output", "fc2, input"]
    assert proposal.islands == ["fc1", "fc2"]
    assert proposal.precision is Precision.FP16 and proposal.sound
    assert not proposal.before.finite


@torch.no_grad()
def test_a_stream_beyond_fp16_is_named_and_widened(toy: Toy) -> None:
    toy.offset[5] = PLANTED
    proposal = proposed(toy)
    assert [str(place) for place in proposal.overflowing] == ["norm, input", "out_norm, input"]
    assert proposal.islands == []
    assert proposal.before.errors == {"y": float("inf")}
    assert proposal.precision is Precision.MIXED and proposal.sound


@torch.no_grad()
def test_weights_too_small_for_fp16_make_an_island(toy: Toy) -> None:
    toy.fc1.weight.mul_(1e-7)
    toy.fc2.weight.mul_(1e4)
    proposal = proposed(toy)
    assert proposal.overflowing == []
    assert proposal.lossy == proposal.islands == ["fc1"]
    after = propose(GRAPH, toy, INPUTS, reviewed=["fc1"])
    assert "fc1" in after.before.fp32 and "fc1" not in after.islands


def test_an_unknown_reviewed_island_is_refused(toy: Toy) -> None:
    with pytest.raises(ValueError, match="Toy has no module fc3"):
        propose(GRAPH, toy, INPUTS, reviewed=["fc3"])


@torch.no_grad()
def test_a_planted_register_of_pi3_is_named_and_mixed_keeps_its_pointmaps(pi3: Pi3) -> None:
    """The encoder's registers carry such numbers in real ViTs; only LayerNorm ever reads them."""
    network = copy.deepcopy(pi3)
    network.encoder.register_tokens[0, 0, 5] = PLANTED
    images = np.random.default_rng(0).random((2, 3, 56, 70), dtype=np.float32)
    proposal = propose(GRAPHS["pi3"], network, [{"images": images}])
    assert str(proposal.overflowing[0]) == "encoder.blocks.0, input"
    assert proposal.before.errors["points"] == float("inf"), "FP16 loses every point"
    assert (proposal.islands, proposal.precision) == ([], Precision.MIXED)
    assert proposal.after.errors["points"] < 5e-3


@torch.no_grad()
def test_a_planted_register_that_products_read_makes_them_islands(pi3: Pi3) -> None:
    network = copy.deepcopy(pi3)
    network.register_token[0, 0, 0, 5] = PLANTED
    images = np.random.default_rng(0).random((2, 3, 56, 70), dtype=np.float32)
    proposal = propose(GRAPHS["pi3"], network, [{"images": images}])
    assert str(proposal.overflowing[0]) == "decoder.0, input"
    assert proposal.islands == [f"{head}_decoder.projects" for head in ("point", "conf", "camera")]
    assert proposal.precision is Precision.MIXED and proposal.sound
