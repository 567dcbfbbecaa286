"""Artefacts that several rooms' tests share: graphs with seeded weights, and a repository of them."""

from pathlib import Path

import pytest

from mvsam.networks.presets import Precision
from tests import shallow

NAMES = ("pi3", "sam2_encoder", "point_embedder", "mask_decoder")


@pytest.fixture(scope="session")
def demo_graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the exported graphs of `shallow.SHALLOW`."""
    folder = tmp_path_factory.mktemp("onnx")
    for name in NAMES:
        shallow.export(name, folder)
    return folder


@pytest.fixture(scope="session")
def built(demo_graphs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of graphs as `make export` leaves it for a preset: FP16, and FP32 with the decoder for a GPU."""
    folder = tmp_path_factory.mktemp("graphs")
    for name in NAMES:
        shallow.export(name, folder / Precision.FP16, Precision.FP16)
    shallow.export("mask_decoder", folder / Precision.FP32, for_gpu=True)
    for name in NAMES:
        if name != "mask_decoder":
            (folder / Precision.FP32 / name).symlink_to(demo_graphs / name)
    return folder


@pytest.fixture(scope="session")
def demo_repository(demo_graphs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A servable repository of them."""
    from export.repository import assemble

    return assemble(demo_graphs, tmp_path_factory.mktemp("served") / "demo")
