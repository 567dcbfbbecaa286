"""A jump is found at the layer where it begins."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import external_data_helper, numpy_helper

from export.bisection import first_jump
from mvsam.networks.graphs import GRAPHS, Sample
from mvsam.networks.presets import PRESETS, Precision
from mvsam.runtime.onnx import MODEL

DAMAGED = "network.transformer.layers.1.mlp.layers.0.bias"


def computed(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    named = {value.name: inputs[value.name] for value in session.get_inputs()}
    return np.asarray(session.run(None, named)[0])


def inputs(precision: Precision) -> dict[str, np.ndarray]:
    sample = GRAPHS["mask_decoder"].inputs_for(PRESETS["demo"], Sample(views=1, objects=1), precision)
    return {name: tensor.numpy() for name, tensor in sample.items()}


def test_the_damaged_layer_is_named(built: Path, tmp_path: Path) -> None:
    full, half = built / Precision.FP32 / "mask_decoder", built / Precision.FP16 / "mask_decoder"
    damaged = Path(shutil.copytree(half, tmp_path / "damaged"))
    model = onnx.load(damaged / MODEL)
    (weights,) = [each for each in model.graph.initializer if each.name == DAMAGED]
    weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights) + np.float16(500), DAMAGED))
    external_data_helper.convert_model_to_external_data(model, location=MODEL + ".data")
    (damaged / (MODEL + ".data")).unlink()
    onnx.save(model, damaged / MODEL)

    reference = (full, computed, inputs(Precision.FP32))
    jump = first_jump(reference, (damaged, computed, inputs(Precision.FP16)), tolerance=0.05)
    assert jump is not None
    assert jump.module == "transformer.layers.1.mlp.layers.0"
    assert jump.before < 0.05 < jump.error
    assert "transformer.layers.1.mlp.layers.0" in str(jump)
    assert first_jump(reference, (half, computed, inputs(Precision.FP16)), tolerance=0.05) is None
