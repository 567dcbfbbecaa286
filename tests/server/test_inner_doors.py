"""Triton behind the service: nobody else on this machine reaches it, or opens what it and its models make."""

import os
import pwd
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from server.launcher import TritonServer
from server.stubs import stubs_of
from server.watchdog import SHARED_MEMORY

NOBODY = pwd.getpwnam("nobody")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can try as another user")


@pytest.fixture(scope="module")
def server(tiny_repository: Path) -> Iterator[TritonServer]:
    """One whose log lies where everybody may look, in a file that everybody could read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        log = Path(folder) / "triton.log"
        log.touch(mode=0o644)
        with TritonServer(tiny_repository, log=log, ready_within=60) as server:
            yield server


def opened(path: Path) -> bool:
    """Whether a file can be read or written, a folder listed, or a socket connected to."""
    kind = path.lstat().st_mode
    if stat.S_ISSOCK(kind):
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(str(path)) == 0
    for flags in (os.O_RDONLY, os.O_WRONLY):
        try:
            os.close(os.open(path, flags))
        except OSError:
            continue
        return True
    return False


def opened_by_nobody(paths: list[Path]) -> list[Path]:
    """Those of the paths that another user can open, tried in a process of that user."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(NOBODY.pw_gid)
            os.setuid(NOBODY.pw_uid)
            for place, path in enumerate(paths):
                try:
                    found = opened(path)
                except PermissionError:  # not even looked at
                    found = False
                if found:
                    os.write(write, f"{place}\n".encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        places = [int(line) for line in told]
    os.waitpid(child, 0)
    return [paths[place] for place in places]


def test_no_process_of_tritons_listens_to_the_network(server: TritonServer) -> None:
    assert server.pid is not None
    for process in (psutil.Process(server.pid), *(stub.process for stub in stubs_of(server.pid))):
        assert [each for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN] == []


def test_another_user_opens_no_file_socket_or_segment(server: TritonServer) -> None:
    workspace, log = server.workspace, server.log
    assert log is not None
    segments = list(SHARED_MEMORY.glob(f"{workspace.name}_*"))
    assert segments
    paths = [workspace, *workspace.rglob("*"), *segments, log]
    assert {"grpc:1", "metrics"} <= {path.name for path in paths if stat.S_ISSOCK(path.lstat().st_mode)}
    assert opened_by_nobody(paths) == []
    assert opened_by_nobody([Path("/"), *paths]) == [Path("/")], "the check must be able to fail"


def test_what_the_stubs_make_later_is_closed_too(server: TritonServer) -> None:
    """Permissions come of the process, so that whatever it makes has them."""
    assert server.pid is not None
    for process in (psutil.Process(server.pid), *(stub.process for stub in stubs_of(server.pid))):
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "Umask:\t0077\n" in status
