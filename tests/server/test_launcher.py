"""Starting and stopping the embedded Triton: it says what is wrong, and leaves nothing behind."""

import ctypes
import importlib.metadata
import os
import re
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from server import runtime, stubs
from server.launcher import LaunchError, TritonServer
from server.runtime import UnsuitableEnvironmentError
from server.stubs import stubs_of
from server.triton_api import TritonError
from tests.server.launching import said_until_ready, start_serving, write_ensemble
from tests.server.wire import page
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.usefixtures("temporary")
Leftovers = Callable[[int], list[str]]
CHILD_SUBREAPER = 36  # an option of prctl


def test_is_ready_when_it_says_so_and_gone_when_stopped(tiny_repository: Path, leftovers: Leftovers) -> None:
    with TritonServer(tiny_repository, ready_within=60) as server:
        assert server.api.metadata().name == "triton"
        assert server.api.models() == ["tiny"]
        assert "nv_inference_request_success" in page(server.metrics_socket, "/metrics")
        assert leftovers(os.getpid()), "the check below must be able to fail"
    assert server.has_exited()
    assert leftovers(os.getpid()) == []
    assert not server.api.is_ready()
    with pytest.raises(TritonError):
        server.api.models()


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


def test_nobody_waits_until_the_processes_of_a_killed_watchdog_are_reaped(
    tiny_repository: Path, adopting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In many containers the first process takes seconds to reap others' orphans, or never does."""
    monkeypatch.setattr(stubs, "GONE_WITHIN", 100 * PATIENCE)
    server = TritonServer(tiny_repository, ready_within=60)
    server.start()
    assert server.pid is not None
    (stub,), triton = stubs_of(server.pid), psutil.Process(server.pid)
    triton.parent().kill()  # pyright: ignore[reportOptionalMemberAccess]
    wait_until(server.has_exited)
    destroying = threading.Thread(target=server.destroy, daemon=True)
    destroying.start()
    wait_until(lambda: not destroying.is_alive())
    for process in (triton, stub.process):
        assert process.status() == psutil.STATUS_ZOMBIE
        os.waitpid(process.pid, 0)


def test_a_model_that_does_not_load_is_named_with_its_error(spoilt_repository: Path, leftovers: Leftovers) -> None:
    (spoilt_repository / "tiny" / "1" / "manifest.json").unlink()
    with pytest.raises(LaunchError, match=r"failed to load 'tiny'.*has no manifest\.json"):
        TritonServer(spoilt_repository, ready_within=60).start()
    assert leftovers(os.getpid()) == []


def test_the_deadline_holds(tiny_repository: Path, leftovers: Leftovers) -> None:
    with pytest.raises(LaunchError, match="not ready within 0 s"):
        TritonServer(tiny_repository, ready_within=0).start()
    assert leftovers(os.getpid()) == []


def test_an_argument_that_the_launcher_sets_itself_is_refused(tiny_repository: Path, leftovers: Leftovers) -> None:
    for argument in ("--grpc-port=9000", "--grpc-address", "--model-repository=elsewhere"):
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


def test_a_temporary_folder_whose_path_is_too_long_for_sockets_is_refused(
    tiny_repository: Path, temporary: Path, leftovers: Leftovers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / ("long" * 20)))
    with pytest.raises(UnsuitableEnvironmentError, match=r"is too long by \d+ bytes; set TMPDIR to a shorter one"):
        TritonServer(tiny_repository).start()
    assert leftovers(os.getpid()) == []


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
    process = start_serving(tiny_repository, tmp_path / "log")
    wait_until(lambda: any(temporary.iterdir()))
    time.sleep(delay)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert leftovers(process.pid) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_serves_until_it_is_stopped(
    spoilt_repository: Path, leftovers: Leftovers, tmp_path: Path, number: signal.Signals
) -> None:
    write_ensemble(spoilt_repository, answers=True)
    process = start_serving(spoilt_repository, tmp_path / "log", "--", "--id=chosen")
    output = said_until_ready(process)
    process.send_signal(number)
    output += process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    assert re.search(r"^chosen 2\.", output, re.MULTILINE), "what follows -- is for tritonserver"
    assert re.search(r"gRPC +127\.0\.0\.1:\d+\n", output)
    assert re.search(r"health +http://127\.0\.0\.1:\d+/v2/health/ready\n", output)
    assert leftovers(process.pid) == []


def test_is_not_ready_when_the_first_request_fails(
    spoilt_repository: Path, leftovers: Leftovers, tmp_path: Path
) -> None:
    write_ensemble(spoilt_repository, answers=False)
    process = start_serving(spoilt_repository, tmp_path / "log")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert re.search("error: the first request failed: .*out of order", output)
    assert "\nready" not in output
    assert leftovers(process.pid) == []
