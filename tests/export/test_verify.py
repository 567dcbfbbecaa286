"""Masks decide: what agrees is accepted, what does not is refused with the graph at fault."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from calibration.scenes import CalibrationScene, synthetic_scenes
from export.verify import Overlap, Verdict, verify
from mvsam.networks.checkpoints import WeightSource, load_network
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import PRESETS, Precision
from mvsam.runtime.pytorch import PyTorchSession
from mvsam.runtime.segmenter import Segmenter

DEMO = PRESETS["demo"]
WEIGHTS = Path(__file__).resolve().parents[2] / "weights"


def session(name: str, precision: Precision, damage: float = 0.0) -> PyTorchSession:
    source = WeightSource.SEEDED if name == "pi3" else WeightSource.FILES
    network, _ = load_network(DEMO, GRAPHS[name].network, source, WEIGHTS)
    if damage:
        with torch.no_grad():
            network.get_parameter("hypernetwork.layers.2.bias").add_(damage)
    return PyTorchSession(GRAPHS[name], network, precision)


def segmenter(precision: Precision) -> Segmenter:
    sessions = (session(name, precision) for name in GRAPHS)
    return Segmenter(*sessions, encoder_side=DEMO.encoder.side, geometry_pixels=DEMO.geometry_pixels)


@pytest.fixture(scope="module")
def reference() -> Segmenter:
    return segmenter(Precision.FP32)


@pytest.fixture(scope="module")
def scenes() -> list[CalibrationScene]:
    return list(synthetic_scenes(2, views=3, side=128))


def test_the_same_chain_agrees(reference: Segmenter, scenes: list[CalibrationScene]) -> None:
    verdict = verify(reference, reference, scenes)
    assert verdict.accepted and verdict.mean == verdict.worst == 1 and verdict.masks > 4
    assert set(verdict.errors) == set(GRAPHS) and not any(max(e.values()) for e in verdict.errors.values())


def test_reduced_precision_differs_and_agrees(reference: Segmenter, scenes: list[CalibrationScene]) -> None:
    verdict = verify(reference, segmenter(Precision.MIXED), scenes)
    assert all(0 < max(errors.values()) < 0.02 for errors in verdict.errors.values())
    assert 0.99 < verdict.mean < 1


def test_a_damaged_graph_is_refused_and_named(reference: Segmenter, scenes: list[CalibrationScene]) -> None:
    damaged = replace(segmenter(Precision.FP16), mask_decoder=session("mask_decoder", Precision.FP16, damage=0.5))
    verdict = verify(reference, damaged, scenes)
    assert not verdict.accepted
    assert verdict.culprits == ["mask_decoder"]


def test_numbers_that_are_not_finite_are_refused(reference: Segmenter, scenes: list[CalibrationScene]) -> None:
    damaged = replace(reference, pi3=session("pi3", Precision.FP16))
    with torch.no_grad():
        damaged.pi3.module.network.camera_head.fc_t.bias.fill_(float("nan"))  # type: ignore[attr-defined]
    verdict = verify(reference, damaged, scenes)
    assert not verdict.accepted
    assert verdict.errors["pi3"]["points"] == float("inf") and verdict.culprits == ["pi3"]


def test_a_pixel_of_a_small_mask_is_seen_in_the_mean_but_does_not_condemn_its_view() -> None:
    photographs = np.array([65_536, 65_536])
    small = Overlap("scene", np.array([[30, 83], [9970, 0]]), np.array([[31, 86], [9971, 0]]), photographs)
    assert small.masks.tolist() == [30 / 31, 83 / 86, 9970 / 9971]
    assert small.views.tolist() == [10_000 / 10_002]
    assert Verdict([small]).worst > 0.999 > Verdict([small]).mean


def test_a_wrong_mask_that_fills_a_small_part_of_a_photograph_condemns_its_view() -> None:
    wrong = Overlap("scene", np.array([[9970, 140]]), np.array([[9970, 150]]), np.array([65_536, 65_536]))
    assert Verdict([wrong]).worst == 140 / 150


def test_scenes_without_masks_decide_nothing(reference: Segmenter, scenes: list[CalibrationScene]) -> None:
    with torch.no_grad():
        empty = replace(reference, mask_decoder=session("mask_decoder", Precision.FP32))
        decoder = empty.mask_decoder.module.network  # type: ignore[attr-defined]
        decoder.hypernetwork.layers[2].weight.zero_()
        decoder.hypernetwork.layers[2].bias.zero_()
    with pytest.raises(ValueError, match="no object is marked in any of 1 scenes"):
        verify(empty, empty, scenes[:1])
