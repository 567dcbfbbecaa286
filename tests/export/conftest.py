"""TensorRT-RTX in TensorRT's place, and the demo preset's graphs at reduced precision."""

import os
from pathlib import Path

import pytest

os.environ["POLYGRAPHY_USE_TENSORRT_RTX"] = "1"  # read when Polygraphy is imported

from export.to_onnx import Typing, export_graph
from mvsam.networks.checkpoints import WeightSource
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import PRESETS, Precision


@pytest.fixture(scope="session")
def built(demo_graphs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of graphs as `make export` leaves it for a preset: FP32 and FP16."""
    folder = tmp_path_factory.mktemp("graphs")
    (folder / Precision.FP32).symlink_to(demo_graphs)
    for name, graph in GRAPHS.items():
        output = folder / Precision.FP16 / name
        export_graph(graph, PRESETS["demo"], WeightSource.SEEDED, folder, output, Typing(Precision.FP16))
    return folder
