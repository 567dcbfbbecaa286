"""π³ against the official model's outputs (slow) and, at reduced depth, against a plain float64 twin (always)."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mvsam.networks.pi3 import Pi3, Pi3Output
from mvsam.networks.presets import PRESETS, Pi3Config
from mvsam.networks.seeded import seed_weights
from tests.unit.networks import pi3_twin

DATA = Path(__file__).parents[2] / "data"
REDUCED = Pi3Config(dim=128, heads=2, encoder_depth=2, decoder_depth=4, head_depth=2, camera_dim=64, position_grid=9)


def seeded(config: Pi3Config) -> Pi3:
    network = Pi3(config).eval()
    seed_weights(network)
    return network


def outputs(network: Pi3, images: np.ndarray) -> dict[str, np.ndarray]:
    with torch.inference_mode():
        result: Pi3Output = network(torch.from_numpy(images)[None])
    names = ("points", "local_points", "conf", "camera_poses")
    return {name: tensor[0].numpy() for name, tensor in zip(names, result, strict=True)}


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("shape", [(3, 84, 112), (1, 126, 126), (2, 140, 98)])
def test_agrees_with_plain_twin(shape: tuple[int, int, int]) -> None:
    views, height, width = shape
    images = np.random.default_rng(0).random((views, 3, height, width), dtype=np.float32)
    network = seeded(REDUCED)
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    expected = pi3_twin.pi3(weights, images, heads=REDUCED.heads)
    for name, found in outputs(network, images).items():
        assert relative(found, expected[name]) < 1e-5, name


@pytest.mark.slow
def test_full_size_and_twin_agree_with_official_outputs() -> None:
    golden = np.load(DATA / "pi3_golden.npz")
    network = seeded(Pi3Config())
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    for case in "abc":
        images = golden[f"{case}_images"]
        found, twin = outputs(network, images), pi3_twin.pi3(weights, images, heads=16) if case == "c" else None
        for name, value in found.items():
            expected = golden[f"{case}_{name}"]
            stride = 1 if name == "camera_poses" else 2
            assert relative(value[:, ::stride, ::stride], expected) < 1e-4, (case, name)
            if twin is not None:
                assert relative(twin[name][:, ::stride, ::stride], expected) < 1e-4, (case, name)


def test_state_dict_is_the_official_one() -> None:
    with gzip.open(DATA / "state_dict_shapes.json.gz", "rt") as file:
        official = json.load(file)["pi3"]
    with torch.device("meta"):
        network = Pi3(Pi3Config())
    assert {name: list(tensor.shape) for name, tensor in network.state_dict().items()} == official


def test_permuting_views_permutes_outputs() -> None:
    images = np.random.default_rng(1).random((4, 3, 56, 70), dtype=np.float32)
    order = np.array([2, 0, 3, 1])
    network = seeded(PRESETS["demo"].pi3)
    straight, permuted = outputs(network, images), outputs(network, images[order])
    for name in straight:
        assert relative(permuted[name], straight[name][order]) < 1e-5, name


def test_scenes_of_a_batch_do_not_mix() -> None:
    images = torch.rand(2, 3, 3, 56, 56, generator=torch.Generator().manual_seed(0))
    network = seeded(replace(REDUCED, decoder_depth=2))
    with torch.inference_mode():
        together, alone = network(images), network(images[1:])
    for batch, single in zip(together, alone, strict=True):
        torch.testing.assert_close(batch[1:], single, rtol=1e-4, atol=1e-5)


def test_poses_are_rigid_and_depth_is_positive() -> None:
    result = outputs(seeded(REDUCED), np.random.default_rng(2).random((3, 3, 56, 56), dtype=np.float32))
    rotation = result["camera_poses"][:, :3, :3]
    assert np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max() < 1e-5
    assert np.abs(np.linalg.det(rotation) - 1).max() < 1e-5
    assert (result["local_points"][..., 2] > 0).all()
