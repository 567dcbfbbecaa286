"""What is served: the demo preset, and a one-graph model repository small enough to be served in a second."""

import contextlib
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from mvsam.synthetic.scene import Scene, make_scene
from server.launcher import TritonServer
from server.warmup import warm_up
from tests.server.launching import traces
from tests.server.wire import Wire

INPUTS = {"VALUES": "FP32", "FLAGS": "BOOL", "COUNTS": "INT32"}
OUTPUTS = {"SUM": "FP32", "FLAGS_AGAIN": "BOOL", "COUNTS_AGAIN": "INT32"}
ONNX_TYPES = {"FP32": TensorProto.FLOAT, "BOOL": TensorProto.BOOL, "INT32": TensorProto.INT32}


@pytest.fixture(scope="session")
def demo_server(demo_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """The demo preset, served and warm."""
    log = tmp_path_factory.mktemp("demo_server") / "triton.log"
    with TritonServer(demo_repository, log=log) as server:
        warm_up(server.grpc_url, timeout=120)
        yield server


@pytest.fixture(scope="session")
def wire(demo_server: TritonServer) -> Iterator[Wire]:
    """Raw requests to `demo_server`."""
    with contextlib.closing(Wire(demo_server.grpc_url)) as connection:
        yield connection


@pytest.fixture(scope="session")
def tiny_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model `tiny`: SUM = VALUES where FLAGS, plus COUNTS, over one dynamic axis; FLAGS and COUNTS come back too."""
    return write_tiny_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def spoilt_repository(tmp_path: Path) -> Path:
    """As `tiny_repository`, for a test to spoil."""
    return write_tiny_repository(tmp_path / "repository")


@pytest.fixture(scope="session")
def scene() -> Scene:
    return make_scene(7, views=4, height=240, width=320)


@pytest.fixture(scope="session")
def photographs(scene: Scene) -> list[bytes]:
    """Landscape, portrait (by EXIF), small and large photographs of the scene, in three formats."""
    first, second, third, fourth = (Image.fromarray(image) for image in scene.images)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    files = []
    for image, options in (
        (first, {"format": "PNG"}),
        (second.rotate(90, expand=True), {"format": "JPEG", "quality": 95, "exif": exif}),
        (third.resize((160, 240)), {"format": "WEBP", "lossless": True}),
        (fourth.resize((640, 480)), {"format": "JPEG", "quality": 95}),
    ):
        buffer = io.BytesIO()
        image.save(buffer, **options)
        files.append(buffer.getvalue())
    return files


def write_tiny_repository(folder: Path) -> Path:
    version = folder / "tiny" / "1"
    version.mkdir(parents=True)
    onnx.save(_graph(), version / "model.onnx")
    digest = hashlib.sha256((version / "model.onnx").read_bytes()).hexdigest()
    (version / "manifest.json").write_text(json.dumps({"graph": "tiny", "files": {"model.onnx": digest}}))
    tensors = [
        f'{kind} {{ name: "{name}" data_type: TYPE_{datatype} dims: [ -1 ] }}'
        for kind, declared in (("input", INPUTS), ("output", OUTPUTS))
        for name, datatype in declared.items()
    ]
    (folder / "tiny" / "config.pbtxt").write_text(
        'backend: "onnxruntime"\ndefault_model_filename: "model.onnx"\nmax_batch_size: 0\n'
        + "\n".join(tensors)
        + "\ninstance_group { count: 1 kind: KIND_AUTO }\n"
    )
    return folder


def _graph() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Cast", ["FLAGS"], ["factors"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["COUNTS"], ["terms"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["VALUES", "factors"], ["chosen"]),
        helper.make_node("Add", ["chosen", "terms"], ["SUM"]),
        helper.make_node("Identity", ["FLAGS"], ["FLAGS_AGAIN"]),
        helper.make_node("Identity", ["COUNTS"], ["COUNTS_AGAIN"]),
    ]
    inputs, outputs = (
        [helper.make_tensor_value_info(name, ONNX_TYPES[datatype], ["items"]) for name, datatype in declared.items()]
        for declared in (INPUTS, OUTPUTS)
    )
    graph = helper.make_graph(nodes, "tiny", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go during a test; what a server leaves there is its own."""
    folder = tmp_path / "t"  # short: paths of sockets have 107 bytes at most
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def leftovers(temporary: Path) -> Callable[[int], list[str]]:
    """Tells what the servers that a process started have left: shared memory, processes, temporary files.

    A server that ran before the test, such as one that the whole session shares, is none of them.
    """
    before = traces(os.getpid(), temporary)

    def found(pid: int) -> list[str]:
        return sorted(traces(pid, temporary) - before) + [path.name for path in temporary.iterdir()]

    return found
