"""A jump is found at the layer where it begins, and a refusal says so."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import external_data_helper, numpy_helper

from export.bisection import Side, first_jump
from export.probes import by_onnxruntime
from export.refusal import explain
from export.verify import Overlap, Verdict
from mvsam.networks.graphs import GRAPHS, Sample
from mvsam.networks.presets import PRESETS, Precision
from mvsam.runtime.onnx import MODEL

LAYER = "transformer.layers.0.mlp.layers.0"
BIAS = f"network.{LAYER}.bias"


@pytest.fixture
def graphs(built: Path, tmp_path: Path) -> Path:
    """Exported graphs whose decoder at FP16 has one layer damaged."""
    (tmp_path / Precision.FP32).symlink_to(built / Precision.FP32)
    damaged = Path(shutil.copytree(built / Precision.FP16 / "mask_decoder", tmp_path / Precision.FP16 / "mask_decoder"))
    model = onnx.load(damaged / MODEL)
    (weights,) = [each for each in model.graph.initializer if each.name == BIAS]
    weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights) + np.float16(500), BIAS))
    external_data_helper.convert_model_to_external_data(model, location=MODEL + ".data")
    (damaged / (MODEL + ".data")).unlink()
    onnx.save(model, damaged / MODEL)
    return tmp_path


@pytest.fixture
def inputs() -> dict[str, np.ndarray]:
    """Of a decoder for one view and one object."""
    sample = GRAPHS["mask_decoder"].inputs_for(PRESETS["demo"], Sample(views=1, objects=1), Precision.FP32)
    return {name: tensor.numpy() for name, tensor in sample.items()}


def test_the_damaged_layer_is_named(graphs: Path, built: Path, inputs: dict[str, np.ndarray]) -> None:
    before = set(graphs.rglob("*"))
    reference, damaged, half = (
        Side(folder / "mask_decoder", by_onnxruntime)
        for folder in (graphs / Precision.FP32, graphs / Precision.FP16, built / Precision.FP16)
    )
    jump = first_jump(reference, damaged, inputs, tolerance=0.05)
    assert jump is not None
    assert jump.module == LAYER
    assert jump.before < 0.05 < jump.error
    assert set(graphs.rglob("*")) == before
    assert first_jump(reference, half, inputs, tolerance=0.05) is None


def test_a_refusal_names_graph_layer_and_remedy(graphs: Path, inputs: dict[str, np.ndarray]) -> None:
    masks = Overlap("scene", np.array([[900]]), np.array([[1000]]), np.array([4096]))
    errors = {"pi3": {"points": 1e-3}, "mask_decoder": {"mask_logits": 0.4}}
    verdict = Verdict([masks], errors, {"mask_decoder": inputs}, ["mask_decoder"])
    said = explain(verdict, graphs, Precision.FP16, by_onnxruntime)
    assert "mean 0.9000" in said and "first graph at fault: mask_decoder" in said
    assert f"at {LAYER} (" in said and "`make calibrate`" in said
    assert LAYER not in explain(verdict, graphs, Precision.FP16, None)
    together = explain(Verdict([masks], errors), graphs, Precision.FP16, by_onnxruntime)
    assert "no graph is at fault alone" in together
