"""A service that is killed, or dies with its terminal, leaves nothing; the next start clears away what could not be."""

import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from server import workspaces
from server.launcher import LaunchError, TritonServer
from server.watchdog import SHARED_MEMORY
from tests.server.launching import said_until_ready, start_serving, write_ensemble
from tests.waiting import PATIENCE, wait_until

Leftovers = Callable[[int], list[str]]


@pytest.fixture
def repository(spoilt_repository: Path) -> Path:
    write_ensemble(spoilt_repository, answers=True)
    return spoilt_repository


@pytest.mark.parametrize("moment", ["starting", "serving"])
def test_a_killed_service_leaves_nothing(
    repository: Path, temporary: Path, leftovers: Leftovers, tmp_path: Path, moment: str
) -> None:
    process = start_serving(repository, tmp_path / "log")
    if moment == "serving":
        said_until_ready(process)
    else:
        wait_until(lambda: any(temporary.iterdir()))
    process.kill()
    process.communicate(timeout=PATIENCE)
    wait_until(lambda: leftovers(process.pid) == [])


def test_a_killed_watchdog_takes_triton_with_it(tiny_repository: Path, leftovers: Leftovers) -> None:
    with TritonServer(tiny_repository, ready_within=60) as server:
        assert server.pid is not None
        watchdog = psutil.Process(server.pid).parent()
        assert watchdog is not None
        watchdog.kill()
        wait_until(server.has_exited)
    assert leftovers(os.getpid()) == []


def test_the_next_start_clears_away_what_a_former_one_left(
    repository: Path, temporary: Path, leftovers: Leftovers, tmp_path: Path
) -> None:
    process = start_serving(repository, tmp_path / "log")
    said_until_ready(process)
    all_of_it = psutil.Process(process.pid).children(recursive=True)
    stubs = [each for each in all_of_it if each.name().startswith("triton_python")]
    # As where everything was killed at once, but for what is not even a descendant any more.
    for each in (psutil.Process(process.pid), *(each for each in all_of_it if each not in stubs)):
        each.suspend()
    for each in (psutil.Process(process.pid), *(each for each in all_of_it if each not in stubs)):
        each.kill()
    process.communicate(timeout=PATIENCE)
    assert stubs and leftovers(process.pid)
    with TritonServer(repository, ready_within=60):
        assert [name for name in leftovers(process.pid) if f"mvsam_{process.pid}_" in name] == []


def test_what_others_have_is_let_be(tiny_repository: Path, temporary: Path) -> None:
    """A server that runs, whatever process number it has, and what only looks like one's."""
    running = temporary / "mvsam_1_0123abcd"
    lock = workspaces.make(running)
    segment = SHARED_MEMORY / f"{running.name}_x"
    segment.touch()
    (temporary / "mvsam_notes").mkdir()
    (temporary / "mvsam_1_aaaaaaaa").touch()
    try:
        with TritonServer(tiny_repository, ready_within=60):
            pass
        assert running.is_dir() and segment.exists()
        assert (temporary / "mvsam_notes").is_dir() and (temporary / "mvsam_1_aaaaaaaa").is_file()
        os.close(lock)
        with TritonServer(tiny_repository, ready_within=60):
            assert not running.exists() and not segment.exists()
    finally:
        segment.unlink(missing_ok=True)


def test_nohup_is_heeded(repository: Path, tmp_path: Path, leftovers: Leftovers) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # children inherit it
    try:
        process = start_serving(repository, tmp_path / "log")
    finally:
        signal.signal(signal.SIGHUP, before)
    said_until_ready(process)
    ignored = re.search(r"SigIgn:\t(\w+)", Path(f"/proc/{process.pid}/status").read_text())
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert ignored and int(ignored[1], 16) >> signal.SIGHUP - 1 & 1
    assert leftovers(process.pid) == []


def test_a_second_server_on_the_same_port_is_refused(repository: Path, tmp_path: Path) -> None:
    first = start_serving(repository, tmp_path / "first.log")
    try:
        said = re.search(r"gRPC +127\.0\.0\.1:(\d+)", said_until_ready(first))
        assert said
        second = start_serving(repository, tmp_path / "second.log", f"--grpc-port={said[1]}")
        output, _ = second.communicate(timeout=PATIENCE)
        assert second.returncode == 1
        assert re.search(rf"error: 127\.0\.0\.1:{said[1]} cannot be listened on.*--grpc-port", output), output
        socket.create_connection(("127.0.0.1", int(said[1]))).close()
    finally:
        first.terminate()
        first.communicate(timeout=PATIENCE)


def test_a_log_has_one_server(tiny_repository: Path, tmp_path: Path) -> None:
    log = tmp_path / "triton.log"
    with TritonServer(tiny_repository, log=log, ready_within=60):
        written = log.read_bytes()
        with pytest.raises(LaunchError, match=r"triton\.log is the log of another server.*--log"):
            TritonServer(tiny_repository, log=log).start()
        assert log.read_bytes().startswith(written)
    with TritonServer(tiny_repository, log=log, ready_within=60):
        pass
