"""Graphs whose features are FP16 are served by the same configs, retyped."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from export.repository import assemble
from mvsam.networks.presets import Precision
from server.launcher import TritonServer
from server.warmup import warm_up
from tests.server.wire import Wire, good


@pytest.fixture(scope="module")
def half(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """The demo preset at FP16, served and warm."""
    folder = tmp_path_factory.mktemp("half")
    repository = assemble(built / Precision.FP16, folder / "demo")
    with TritonServer(repository, log=folder / "triton.log") as server:
        warm_up(server.grpc_url, timeout=120)
        yield server


def test_logits_are_near_those_of_fp32(half: TritonServer, wire: Wire) -> None:
    config = (half.repository / "point_embedder" / "config.pbtxt").read_text()
    assert config.count("TYPE_FP16") == 3
    other = Wire(half.grpc_url)
    expected, found = (
        np.frombuffer(each.ask("mvsam", good("mvsam"), ("mask_logits",)).outputs[0], np.float32)
        for each in (wire, other)
    )
    other.close()
    error = np.abs(found - expected).max() / np.abs(expected).max()
    assert 1e-5 < error < 2e-2
