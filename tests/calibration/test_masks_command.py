"""`python -m calibration masks`: FP32 is itself, half precision is near it, and a chain that breaks masks is told."""

from pathlib import Path

import pytest
import torch

from calibration import masks_command
from calibration.chain import Networks
from calibration.scenes import CalibrationScene, synthetic_scenes
from mvsam.evaluation.speed.machine import provenance
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import Precision


@pytest.fixture(scope="module")
def scenes() -> list[CalibrationScene]:
    return list(synthetic_scenes(1, views=3))


def rows(networks: Networks, scenes: list[CalibrationScene], document: Path, *precisions: Precision) -> list[list[str]]:
    known = provenance("a test", torch.device("cpu"))
    masks_command.run(networks, scenes, precisions, "cpu", document, known)
    lines = document.read_text().splitlines()
    assert "- scenes: 1" in lines
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_the_document_has_masks_and_every_output(
    networks: Networks, scenes: list[CalibrationScene], tmp_path: Path
) -> None:
    found = rows(networks, scenes, tmp_path / "masks.md", Precision.FP32, Precision.FP16)
    masks = {cells[0]: cells[1:] for cells in found if len(cells) == 5}
    assert masks["fp32"][1:] == ["1.0000", "1.0000", "yes"] and int(masks["fp32"][0]) > 1
    assert masks["fp16"][0] == masks["fp32"][0] and 0.99 < float(masks["fp16"][1]) < 1 and masks["fp16"][3] == "yes"
    errors = {
        (cells[0], cells[1]): cells[2:] for cells in found[found.index(["graph", "output", "fp32", "fp16"]) + 2 :]
    }
    assert set(errors) == {(graph.name, output) for graph in GRAPHS.values() for output in graph.outputs}
    assert all(float(fp32) == 0 < float(fp16) < 0.05 for fp32, fp16 in errors.values())


@torch.no_grad()
def test_a_network_beyond_fp16_is_not_accepted(
    networks: Networks, scenes: list[CalibrationScene], tmp_path: Path
) -> None:
    position = networks.modules["sam2_encoder"].get_parameter("image_encoder.trunk.pos_embed")
    kept = position.clone()
    position[0, 5, 0, 0] = 2e5
    try:
        found = rows(networks, scenes, tmp_path / "masks.md", Precision.FP16)
    finally:
        position.copy_(kept)
    (verdict,) = (cells[-1] for cells in found if cells[0] == "fp16" and len(cells) == 5)
    assert verdict.startswith("no: sam2_encoder")
