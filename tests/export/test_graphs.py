"""Exported graphs compute what their networks compute, at sizes they were not traced with."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest

from export.compare import Errors, relative_errors
from export.to_onnx import export_graph
from mvsam.networks.checkpoints import WeightSource, load_network
from mvsam.networks.graphs import GRAPHS, Graph, Sample
from mvsam.networks.presets import PRESETS, Precision, Preset
from mvsam.runtime.artifacts import read_manifest
from mvsam.runtime.onnx import MODEL, OnnxSession
from mvsam.runtime.pytorch import PyTorchSession
from tests import shallow
from tests.shallow import SHALLOW

SAMPLES = [
    Sample(views=1, objects=1, prompts=1, masks=0, patches=(16, 16), seed=1),
    Sample(views=2, objects=2, prompts=12, masks=1, patches=(14, 18), seed=2),
    Sample(views=5, objects=1, prompts=3, masks=2, patches=(18, 14), seed=3),
    Sample(views=9, objects=3, prompts=40, masks=3, patches=(12, 21), seed=4),
]


def compared(graph: Graph, preset: Preset, sample: Sample, one: PyTorchSession, other: OnnxSession) -> Errors:
    arrays = {name: tensor.numpy() for name, tensor in graph.example(preset, sample).items()}
    return relative_errors(one.run(arrays), other.run(arrays))


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.views} views")
def test_onnx_runtime_agrees_with_pytorch(name: str, sample: Sample, demo_graphs: Path) -> None:
    graph = GRAPHS[name]
    network, _ = load_network(SHALLOW, graph.network, WeightSource.SEEDED, demo_graphs)
    errors = compared(graph, SHALLOW, sample, PyTorchSession(graph, network), OnnxSession(demo_graphs / name))
    assert max(errors.values()) <= 1e-5, errors


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("preset", ["demo", "large"])
def test_graphs_of_full_depth_agree_with_pytorch(preset: str, name: str, tmp_path: Path) -> None:
    graph, whole = GRAPHS[name], PRESETS[preset]
    export_graph(graph, whole, WeightSource.SEEDED, tmp_path, tmp_path / name)
    network, _ = load_network(whole, graph.network, WeightSource.SEEDED, tmp_path)
    reference, exported = PyTorchSession(graph, network), OnnxSession(tmp_path / name)
    for views in (1, 3):
        errors = compared(graph, whole, Sample(views=views, patches=(16, 20), seed=views), reference, exported)
        assert max(errors.values()) <= 1e-5, errors


@pytest.fixture(scope="module")
def typed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for graphs by precision; it holds those of FP16."""
    folder = tmp_path_factory.mktemp("typed")
    (folder / Precision.FP16).symlink_to(built / Precision.FP16)
    return folder


def precisions_and_names() -> Iterator[Any]:
    """All of them; of what is not in `built` already one is exported each time, the others are slow."""
    for precision in (Precision.FP16, Precision.MIXED, Precision.BF16):
        for name in GRAPHS:
            is_quick = precision is Precision.FP16 or (precision, name) == (Precision.MIXED, "mask_decoder")
            yield pytest.param(precision, name, marks=() if is_quick else pytest.mark.slow)


@pytest.mark.parametrize(("precision", "name"), list(precisions_and_names()))
def test_typed_graphs_are_compared_with_fp32(precision: Precision, name: str, typed: Path) -> None:
    """Weights of matrix products have the precision's type, and no island has become narrow."""
    folder = typed / precision / name
    if not folder.exists():
        shallow.export(name, typed / precision, precision)
    manifest = read_manifest(folder)
    assert 1e-5 < max(manifest["errors"]["3 views"].values()) < manifest["tolerance"]
    model = onnx.load(folder / MODEL, load_external_data=False)
    kinds = {weights.name: weights.data_type for weights in model.graph.initializer}
    narrow = onnx.TensorProto.BFLOAT16 if precision is Precision.BF16 else onnx.TensorProto.FLOAT16
    wide = {key for key, kind in kinds.items() if kind == onnx.TensorProto.FLOAT}
    assert list(kinds.values()).count(narrow) >= (1 if name == "point_embedder" else 20)
    for node in model.graph.node:
        if node.op_type == "LayerNormalization":
            assert node.input[1] in wide, node.name
    if name == "pi3":
        assert any("camera_head.fc_rot" in key for key in wide) and any("point_head" in key for key in wide)


@pytest.mark.parametrize("name", GRAPHS)
def test_graph_holds_nothing_that_tensorrt_refuses(name: str, demo_graphs: Path) -> None:
    model = onnx.load(demo_graphs / name / MODEL, load_external_data=False)
    assert {entry.version for entry in model.opset_import if entry.domain == ""} == {23}
    operators = {node.op_type for node in model.graph.node}
    assert not operators & {"Det", "Unique"}
    assert name == "point_embedder" or "Attention" in operators, "one node, never a product of all scores"
    for node in model.graph.node:
        if node.op_type == "Resize":
            assert not any(a.name == "antialias" and a.i for a in node.attribute), node.name


@pytest.mark.parametrize("name", GRAPHS)
def test_tensors_have_the_declared_names_and_axes(name: str, demo_graphs: Path) -> None:
    model = onnx.load(demo_graphs / name / MODEL, load_external_data=False)
    found = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    sizes = {"S": 256, "E": 16, "EE": 256, "2E": 32, "4E": 64}
    declared = GRAPHS[name].inputs | GRAPHS[name].outputs
    assert found == {key: [sizes.get(str(axis), axis) for axis in axes] for key, axes in declared.items()}
