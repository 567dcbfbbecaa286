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
    """A folder of graphs as `make export` leaves it for a preset: FP16, and FP32 with the decoder for a GPU."""
    folder = tmp_path_factory.mktemp("graphs")
    typings = [(name, Typing(Precision.FP16)) for name in GRAPHS]
    for name, typing in [*typings, ("mask_decoder", Typing(for_gpu=True))]:
        output = folder / typing.precision / name
        export_graph(GRAPHS[name], PRESETS["demo"], WeightSource.SEEDED, folder, output, typing)
    for name in ("pi3", "sam2_encoder"):
        (folder / Precision.FP32 / name).symlink_to(demo_graphs / name)
    return folder
