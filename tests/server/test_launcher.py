"""Starting and stopping the embedded Triton: it says what is wrong, and leaves nothing behind."""

import ctypes
import importlib.metadata
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from server import runtime, stubs
from server.launcher import LOOPBACK, SHARED_MEMORY, LaunchError, Ports, TritonServer
from server.runtime import UnsuitableEnvironmentError
from server.stubs import stubs_of
from tests.waiting import PATIENCE, wait_until

Leftovers = Callable[[int], list[str]]
PROJECT = Path(runtime.__file__).parent.parent
CHILD_SUBREAPER = 36  # an option of prctl

# Stands in for the ensemble: `serve` asks nothing of it but an answer to its first request.
ENSEMBLE = """
import numpy as np
import triton_python_backend_utils as pb_utils

from mvsam.pipeline.encodings import MaskEncoding, encode_mask

MASK = encode_mask(np.zeros((64, 96), bool), MaskEncoding.RLE)
ANSWER = {
    "MASKS": np.array([[MASK, MASK]], np.object_),
    "SCORES": np.zeros((1, 2), np.float32),
    "AREAS": np.zeros((1, 2), np.int64),
    "IMAGE_SIZES": np.array([[64, 96]] * 2, np.int32),
}

class TritonPythonModel:
    def execute(self, requests):
        if ANSWERS:
            tensors = [pb_utils.Tensor(name, array) for name, array in ANSWER.items()]
            return [pb_utils.InferenceResponse(tensors) for _ in requests]
        return [pb_utils.InferenceResponse([], pb_utils.TritonError("out of order")) for _ in requests]
"""
ENSEMBLE_CONFIG = """
backend: "python"
max_batch_size: 0
input [ { name: "IMAGES" data_type: TYPE_STRING dims: [ -1 ] },
        { name: "POINTS" data_type: TYPE_FP32 dims: [ -1, -1, 2 ] },
        { name: "POINT_LABELS" data_type: TYPE_INT32 dims: [ -1, -1 ] },
        { name: "POINT_VIEWS" data_type: TYPE_INT32 dims: [ -1, -1 ] },
        { name: "ENCODING" data_type: TYPE_STRING dims: [ 1 ] optional: true } ]
output [ { name: "MASKS" data_type: TYPE_STRING dims: [ -1, -1 ] },
         { name: "SCORES" data_type: TYPE_FP32 dims: [ -1, -1 ] },
         { name: "AREAS" data_type: TYPE_INT64 dims: [ -1, -1 ] },
         { name: "IMAGE_SIZES" data_type: TYPE_INT32 dims: [ -1, 2 ] } ]
instance_group { count: 1 kind: KIND_CPU }
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go during a test; what a server leaves there is its own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def leftovers(temporary: Path) -> Leftovers:
    """Tells what the servers that a process started have left: shared memory, processes, temporary files.

    A server that ran before the test, such as one that the whole session shares, is none of them.
    """
    before = traces(os.getpid(), temporary)

    def found(pid: int) -> list[str]:
        return sorted(traces(pid, temporary) - before) + [path.name for path in temporary.iterdir()]

    return found


def traces(pid: int, temporary: Path) -> set[str]:
    """Names that only servers started by process `pid` give to shared memory, and arguments of their processes."""
    lines = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    alive = [line.split(maxsplit=1)[1] for line in lines if not line.startswith("Z")]
    prefix = f"mvsam_{pid}_"
    processes = {arguments for arguments in alive if prefix in arguments or str(temporary) in arguments}
    return processes | {path.name for path in SHARED_MEMORY.glob(f"{prefix}*")}


def start_serving(repository: Path, log: Path, *more: str) -> tuple[subprocess.Popen[str], Ports]:
    ports = Ports.free()
    flags = [f"--grpc-port={ports.grpc}", f"--http-port={ports.http}"]
    command = [sys.executable, "-m", "server.serve", f"--repository={repository}", f"--log={log}", *flags, *more]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return process, ports


def write_ensemble(repository: Path, answers: bool) -> None:
    version = repository / "mvsam" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(f"ANSWERS = {answers}\n{ENSEMBLE}")
    (repository / "mvsam" / "config.pbtxt").write_text(ENSEMBLE_CONFIG)


def test_is_ready_when_it_says_so_and_gone_when_stopped(tiny_repository: Path, leftovers: Leftovers) -> None:
    with TritonServer(tiny_repository, ready_within=60) as server:
        assert server.api.metadata()["name"] == "triton"
        assert server.api.models() == ["tiny"]
        with urllib.request.urlopen(server.metrics_url, timeout=10) as metrics:
            assert b"nv_inference_request_success" in metrics.read()
        assert leftovers(os.getpid()), "the check below must be able to fail"
        url = f"http://{server.http_url}/v2/health/live"
    assert server.has_exited()
    assert leftovers(os.getpid()) == []
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=10)


def test_an_installed_triton_is_served_too(tiny_repository: Path, leftovers: Leftovers, tmp_path: Path) -> None:
    """Stands in for the container's: the embedded one, laid out as that is."""
    laid_out = tmp_path / "tritonserver"
    embedded = runtime.assemble(tmp_path / "layout")
    (laid_out / "bin").mkdir(parents=True)
    (laid_out / "bin" / "tritonserver").symlink_to(embedded.executable)
    (laid_out / "backends").symlink_to(embedded.backends)
    (laid_out / "caches").symlink_to(embedded.caches)
    with TritonServer(tiny_repository, ready_within=60, installation=laid_out) as server:
        assert server.api.models() == ["tiny"]
    assert leftovers(os.getpid()) == []
    with pytest.raises(UnsuitableEnvironmentError, match="name the folder of an installed Triton"):
        TritonServer(tiny_repository, installation=tmp_path).start()


def test_an_error_inside_the_block_stops_the_server(tiny_repository: Path, leftovers: Leftovers) -> None:
    with pytest.raises(ZeroDivisionError), TritonServer(tiny_repository, ready_within=60):
        _ = 1 / 0
    assert leftovers(os.getpid()) == []


def test_a_server_that_died_leaves_nothing_either(tiny_repository: Path, leftovers: Leftovers) -> None:
    with TritonServer(tiny_repository, ready_within=60) as server:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        wait_until(server.has_exited)
    assert leftovers(os.getpid()) == []


@pytest.fixture
def adopting() -> Iterator[None]:
    """Makes this process the parent of those that lose theirs, and one that leaves them zombies."""
    become = ctypes.CDLL(None, use_errno=True).prctl
    assert become(CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    yield
    assert become(CHILD_SUBREAPER, 0, 0, 0, 0) == 0


def test_nobody_waits_until_a_killed_servers_processes_are_reaped(
    tiny_repository: Path, adopting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In many containers the first process takes seconds to reap others' orphans, or never does."""
    monkeypatch.setattr(stubs, "GONE_WITHIN", 100 * PATIENCE)
    server = TritonServer(tiny_repository, ready_within=60)
    server.start()
    assert server.pid is not None
    (stub,) = stubs_of(server.pid)
    os.kill(server.pid, signal.SIGKILL)
    destroying = threading.Thread(target=server.destroy, daemon=True)
    destroying.start()
    wait_until(lambda: not destroying.is_alive())
    assert stub.process.status() == psutil.STATUS_ZOMBIE
    os.waitpid(stub.process.pid, 0)


def test_a_model_that_does_not_load_is_named_with_its_error(spoilt_repository: Path, leftovers: Leftovers) -> None:
    (spoilt_repository / "tiny" / "1" / "manifest.json").unlink()
    with pytest.raises(LaunchError, match=r"failed to load 'tiny'.*has no manifest\.json"):
        TritonServer(spoilt_repository, ready_within=60).start()
    assert leftovers(os.getpid()) == []


def test_the_deadline_holds(tiny_repository: Path, leftovers: Leftovers) -> None:
    with pytest.raises(LaunchError, match="not ready within 0 s"):
        TritonServer(tiny_repository, ready_within=0).start()
    assert leftovers(os.getpid()) == []


@pytest.mark.parametrize("endpoint", ["http", "grpc", "metrics"])
def test_a_taken_port_is_named_with_the_flag_that_changes_it(tiny_repository: Path, endpoint: str) -> None:
    ports = Ports.free()
    port = getattr(ports, endpoint)
    with socket.create_server((LOOPBACK, port)), pytest.raises(LaunchError) as refusal:
        TritonServer(tiny_repository, ports=ports).start()
    for part in (str(port), endpoint, f"--{endpoint}-port", f"{endpoint.upper()}_PORT="):
        assert part in str(refusal.value)


def test_an_argument_that_the_launcher_sets_itself_is_refused(tiny_repository: Path, leftovers: Leftovers) -> None:
    for argument in ("--http-port=9000", "--grpc-address", "--model-repository=elsewhere"):
        with pytest.raises(LaunchError, match=f"{argument.partition('=')[0]} of tritonserver is not yours to give"):
            TritonServer(tiny_repository, arguments=[argument, "9000"]).start()
    assert leftovers(os.getpid()) == []


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [
        ("--no-such-option=1", "unrecognized option '--no-such-option=1'"),
        ("--log-verbose=much", "Invalid option value"),
    ],
)
def test_an_argument_that_tritonserver_does_not_take_is_all_that_is_told(
    tiny_repository: Path, argument: str, complaint: str
) -> None:
    with pytest.raises(LaunchError, match=rf"^Triton ended while starting.*:\n.*{complaint}.*$"):
        TritonServer(tiny_repository, arguments=[argument]).start()


def test_one_port_for_two_endpoints_is_refused(tiny_repository: Path) -> None:
    with pytest.raises(LaunchError, match="must differ"):
        TritonServer(tiny_repository, ports=Ports(20_000, 20_000, 20_001)).start()


def test_white_space_in_the_repository_path_is_refused(tiny_repository: Path, tmp_path: Path) -> None:
    spaced = tmp_path / "my models"
    spaced.symlink_to(tiny_repository)
    copied = tmp_path / "her models"
    (copied / "tiny").mkdir(parents=True)
    (copied / "tiny" / "config.pbtxt").touch()
    with pytest.raises(UnsuitableEnvironmentError, match=r"her models: .*white space.*move it"):
        TritonServer(copied).start()
    with TritonServer(spaced, ready_within=60) as server:  # what counts is where it really lies
        assert server.api.models() == ["tiny"]


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsuitableEnvironmentError, match=r"no <model>/config\.pbtxt.*make repository"):
        TritonServer(tmp_path / "nowhere").start()


def test_numpy_2_is_refused(tiny_repository: Path, leftovers: Leftovers, monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.1.0" if name == "numpy" else version(name))
    with pytest.raises(UnsuitableEnvironmentError, match=r"numpy 2\.1\.0 .*install numpy 1\.26"):
        TritonServer(tiny_repository).start()
    assert leftovers(os.getpid()) == []


def test_a_stub_without_its_libpython_is_refused(tmp_path: Path) -> None:
    stub = tmp_path / "stub"
    stub.write_text("#!/bin/sh\necho 'libpython3.11.so.1.0: cannot open shared object file' >&2\nexit 127\n")
    stub.chmod(0o755)
    with pytest.raises(UnsuitableEnvironmentError, match=r"libpython3\.11\.so\.1\.0: cannot open.*install libpython"):
        runtime._check_stub_starts(stub, dict(os.environ))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay", [0.0, 0.1, 0.2])
def test_an_interrupt_while_starting_ends_cleanly(
    tiny_repository: Path, leftovers: Leftovers, temporary: Path, tmp_path: Path, number: signal.Signals, delay: float
) -> None:
    process, _ = start_serving(tiny_repository, tmp_path / "log")
    wait_until(lambda: any(temporary.iterdir()))
    time.sleep(delay)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert leftovers(process.pid) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_it_is_stopped(
    spoilt_repository: Path, leftovers: Leftovers, tmp_path: Path, number: signal.Signals
) -> None:
    write_ensemble(spoilt_repository, answers=True)
    process, ports = start_serving(spoilt_repository, tmp_path / "log", "--", "--id=chosen")
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("ready"):
            break
    process.send_signal(number)
    rest, _ = process.communicate(timeout=60)
    output = "".join(lines) + rest
    assert process.returncode == 0, output
    assert re.search(r"^chosen 2\.", output, re.MULTILINE), "what follows -- is for tritonserver"
    assert re.search(rf"gRPC +{LOOPBACK}:{ports.grpc}\n", output)
    assert re.search(rf"health +http://{LOOPBACK}:{ports.http}/v2/health/ready\n", output)
    assert leftovers(process.pid) == []


def test_is_not_ready_when_the_first_request_fails(
    spoilt_repository: Path, leftovers: Leftovers, tmp_path: Path
) -> None:
    write_ensemble(spoilt_repository, answers=False)
    process, _ = start_serving(spoilt_repository, tmp_path / "log")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert re.search("error: the first request failed: .*out of order", output)
    assert "\nready" not in output
    assert leftovers(process.pid) == []
