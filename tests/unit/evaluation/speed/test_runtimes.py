"""A runtime gives a graph's outputs whatever it is behind."""

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, save
from torch import nn

from mvsam.evaluation.speed.offers import UnavailableError, Workbench, onnxruntime_cpu
from mvsam.evaluation.speed.runtimes import BoundOnnx, Eager, OfSession
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import PRESETS, Precision
from mvsam.runtime.artifacts import MANIFEST, ArtifactError, sha256, write_json
from mvsam.runtime.onnx import MODEL, OnnxSession

CPU = torch.device("cpu")
INPUTS = {"images": torch.randn(2, 3, 4, 4), "labels": torch.tensor([[1], [0]], dtype=torch.int32)}


class Scaled(nn.Module):
    """Images times their labels."""

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return images * labels[:, :, None, None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The same as an exported graph."""
    kinds = {"images": (TensorProto.FLOAT, ["n", 3, 4, 4]), "labels": (TensorProto.INT32, ["n", 1])}
    nodes = [
        helper.make_node("Cast", ["labels"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["numbers", "axes"], ["factors"]),
        helper.make_node("Mul", ["images", "factors"], ["scaled"]),
    ]
    graph = helper.make_graph(
        nodes,
        "scaled",
        [helper.make_tensor_value_info(name, *kind) for name, kind in kinds.items()],
        [helper.make_tensor_value_info("scaled", TensorProto.FLOAT, ["n", 3, 4, 4])],
        [helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3])],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), tmp_path / MODEL)
    write_json(tmp_path / MANIFEST, {"files": {MODEL: sha256(tmp_path / MODEL)}, "types": {}, "weights": {}})
    return tmp_path


def test_runtimes_agree(folder: Path) -> None:
    expected = (INPUTS["images"] * INPUTS["labels"][:, :, None, None]).numpy()
    runtimes = [
        Eager(Scaled(), ["scaled"], CPU, channels_last=False),
        Eager(Scaled(), ["scaled"], CPU, channels_last=True),
        OfSession(OnnxSession(folder, threads=1)),
        BoundOnnx(folder, "CPUExecutionProvider", CPU),
    ]
    for runtime in runtimes:
        found = runtime.run(runtime.place(INPUTS))["scaled"]
        assert np.array_equal(found if isinstance(found, np.ndarray) else found.numpy(), expected), type(runtime)


def test_channels_last_places_maps_so() -> None:
    placed = Eager(Scaled(), ["scaled"], CPU, channels_last=True).place(INPUTS)
    assert placed["images"].is_contiguous(memory_format=torch.channels_last)
    assert not placed["images"].is_contiguous()


def bench(graphs: Path) -> Workbench:
    views = dict.fromkeys(GRAPHS, 1)
    return Workbench(PRESETS["demo"], CPU, [1], list(GRAPHS), Path("weights"), graphs, graphs, views, 1, (8, 8))


def test_a_graph_that_was_not_exported_is_left_out_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="make export"):
        list(onnxruntime_cpu(bench(tmp_path), GRAPHS["mask_decoder"], Precision.FP32))


def test_a_graph_of_other_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    exported = tmp_path / "graphs" / "fp32" / "mask_decoder"
    exported.parent.mkdir(parents=True)
    exported.symlink_to(folder, target_is_directory=True)
    with pytest.raises(ArtifactError, match="other weights"):
        list(onnxruntime_cpu(bench(tmp_path / "graphs"), GRAPHS["mask_decoder"], Precision.FP32))
