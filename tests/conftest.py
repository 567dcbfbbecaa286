"""What several rooms' tests share: graphs with seeded weights, a repository of them, and how tests share two cores."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from xdist.scheduler import LoadScopeScheduling

from mvsam.networks.presets import Precision
from tests import shallow

SERVERS = ("tests/server/", "tests/clients/live/")


class ByFile(LoadScopeScheduling):
    """For `pytest -n 2`: a file stays in one process, and all that start servers stay in one together."""

    def _split_scope(self, nodeid: str) -> str:
        return "servers" if nodeid.startswith(SERVERS) else nodeid.partition("::")[0]


def pytest_configure(config: pytest.Config) -> None:
    """Gives each of several processes one thread of OpenMP: more would wait for one another in busy loops."""
    if config.getoption("numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


def made_once(name: str, make: Callable[[Path], None], factory: pytest.TempPathFactory, worker: str) -> Path:
    """A folder that the first process to want it makes for all."""
    base = factory.getbasetemp() if worker == "master" else factory.getbasetemp().parent
    folder = base / name
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            make(temporary := folder.with_suffix(".tmp"))
            temporary.rename(folder)
    return folder


@pytest.fixture(scope="session")
def demo_graphs(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Folder with the exported graphs of `shallow.SHALLOW`."""
    from mvsam.networks.graphs import GRAPHS

    def make(folder: Path) -> None:
        for name in GRAPHS:
            shallow.export(name, folder)

    return made_once("onnx", make, tmp_path_factory, worker_id)


@pytest.fixture(scope="session")
def built(demo_graphs: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder of graphs as `make export` leaves it for a preset: FP16, and FP32 with the decoder for a GPU."""
    from mvsam.networks.graphs import GRAPHS

    def make(folder: Path) -> None:
        for name in GRAPHS:
            shallow.export(name, folder / Precision.FP16, Precision.FP16)
        shallow.export("mask_decoder", folder / Precision.FP32, for_gpu=True)
        for name in GRAPHS.keys() - {"mask_decoder"}:
            (folder / Precision.FP32 / name).symlink_to(demo_graphs / name)

    return made_once("graphs", make, tmp_path_factory, worker_id)


@pytest.fixture(scope="session")
def demo_repository(demo_graphs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A servable repository of them."""
    from export.repository import assemble

    return assemble(demo_graphs, tmp_path_factory.mktemp("served") / "demo")
