"""Where converting everything to FP16 goes wrong and the declared islands do not.

On ordinary scenes the demo preset bears naive conversion too; what follows are scenes and weights as good as those.
"""

import copy
import math

import numpy as np
import torch

from calibration.chain import Networks
from export.compare import relative_errors
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.mask_decoder import MaskDecoder
from mvsam.networks.pi3 import Pi3
from mvsam.networks.precision import typed
from mvsam.networks.presets import Precision
from mvsam.runtime.pytorch import PyTorchSession
from tests.calibration.naive import EverythingRounded, NaiveSession

LARGER = 1e5  # the unit of π³'s scenes is arbitrary
FAR = 30.0  # standard deviations: an object of a thousandth of the pixels, alone in the distance


def test_depths_of_another_unit_overflow_behind_the_exponential(networks: Networks) -> None:
    """Log-depths a little larger mean the same scene in another unit."""
    graph, network = GRAPHS["pi3"], copy.deepcopy(networks.modules["pi3"])
    assert isinstance(network, Pi3)
    images = {"images": np.random.default_rng(0).random((2, 3, 56, 70), dtype=np.float32)}
    patch = network.config.patch**2
    with torch.no_grad():
        network.point_head.proj.bias[2 * patch :] += math.log(LARGER)  # the third of the head's channels
        network.camera_head.fc_t.weight.mul_(LARGER)
        network.camera_head.fc_t.bias.mul_(LARGER)
    expected = PyTorchSession(graph, copy.deepcopy(network)).run(images)
    naive = relative_errors(expected, NaiveSession(graph, network).run(images))
    ours = relative_errors(expected, PyTorchSession(graph, network, Precision.FP16).run(images))
    assert naive["points"] == float("inf")
    assert ours["points"] < 5e-3


def test_cameras_keep_more_digits(networks: Networks) -> None:
    """On average: what a single scene loses depends on chance as much."""
    graph, network = GRAPHS["pi3"], networks.modules["pi3"]
    naive, ours, mixed = [], [], []
    for seed in range(4):
        images = {"images": np.random.default_rng(seed).random((2, 3, 56, 70), dtype=np.float32)}
        expected = PyTorchSession(graph, copy.deepcopy(network)).run(images)
        naive.append(relative_errors(expected, NaiveSession(graph, network).run(images))["camera_poses"])
        for precision, errors in ((Precision.FP16, ours), (Precision.MIXED, mixed)):
            session = PyTorchSession(graph, copy.deepcopy(network), precision)
            errors.append(relative_errors(expected, session.run(images))["camera_poses"])
    assert np.mean(naive) > 1.2 * np.mean(ours)
    assert np.mean(naive) > 1.5 * np.mean(mixed)


def test_positions_far_out_are_embedded_where_they_are(networks: Networks) -> None:
    """The sines' arguments reach hundreds of radians, which FP16 counts by eighths."""
    network = copy.deepcopy(networks.modules["mask_decoder"])
    assert isinstance(network, MaskDecoder)
    points = FAR + torch.rand(200, 3, generator=torch.Generator().manual_seed(0))
    expected = network.position_encoder.fourier(points)
    with EverythingRounded():
        naive = network.position_encoder.fourier(points.half().float())
    typed(network, Precision.FP16, {})
    ours = network.position_encoder.fourier(points)
    assert (naive - expected).square().mean().sqrt() > 0.05
    assert torch.equal(ours, expected)
