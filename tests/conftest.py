"""Artefacts that several rooms' tests share: the demo preset's graphs with seeded weights, and a repository of them."""

from pathlib import Path

import pytest

from mvsam.networks.presets import PRESETS


@pytest.fixture(scope="session")
def demo_graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the three exported graphs."""
    from export.to_onnx import export_graph
    from mvsam.networks.checkpoints import WeightSource
    from mvsam.networks.graphs import GRAPHS

    folder = tmp_path_factory.mktemp("onnx")
    for name, graph in GRAPHS.items():
        export_graph(graph, PRESETS["demo"], WeightSource.SEEDED, folder, folder / name)
    return folder


@pytest.fixture(scope="session")
def built(demo_graphs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of graphs as `make export` leaves it for a preset: FP16, and FP32 with the decoder for a GPU."""
    from export.to_onnx import Typing, export_graph
    from mvsam.networks.checkpoints import WeightSource
    from mvsam.networks.graphs import GRAPHS
    from mvsam.networks.presets import Precision

    folder = tmp_path_factory.mktemp("graphs")
    typings = [(name, Typing(Precision.FP16)) for name in GRAPHS]
    for name, typing in [*typings, ("mask_decoder", Typing(for_gpu=True))]:
        output = folder / typing.precision / name
        export_graph(GRAPHS[name], PRESETS["demo"], WeightSource.SEEDED, folder, output, typing)
    for name in GRAPHS.keys() - {"mask_decoder"}:
        (folder / Precision.FP32 / name).symlink_to(demo_graphs / name)
    return folder


@pytest.fixture(scope="session")
def demo_repository(demo_graphs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A servable repository of the demo preset."""
    from export.repository import assemble

    return assemble(demo_graphs, tmp_path_factory.mktemp("served") / "demo")
