"""The folder of a running server: its sockets and plug-ins, for its own user only.

Its name is also that of the server's shared memory. Whoever uses it holds a lock on it, so that what a server has left
that was killed together with its watchdog is told from what one uses: the next start clears it away.
"""

import contextlib
import fcntl
import os
import re
import tempfile
from pathlib import Path

import psutil

from server import stubs, watchdog
from server.runtime import UnsuitableEnvironmentError

NAME = re.compile(r"mvsam_\d+_[0-9a-f]{8}")
LONGEST_SOCKET = 107  # bytes of a socket's path


def make(folder: Path) -> int:
    """Makes a workspace and locks it; returns the descriptor that holds the lock."""
    while True:
        folder.mkdir(mode=0o700)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return lock
        os.close(lock)  # in this very moment another server that starts took it for abandoned


def check_length(socket: Path) -> None:
    """Raises UnsuitableEnvironmentError where a path is too long for a socket."""
    over = len(os.fsencode(socket)) - LONGEST_SOCKET
    if over > 0:
        folder = tempfile.gettempdir()
        raise UnsuitableEnvironmentError(
            f"{folder}: the path of the temporary folder is too long by {over} bytes; set TMPDIR to a shorter one"
        )


def remove_abandoned() -> None:
    """Ends and removes what is left of this user's servers that were killed."""
    for folder in Path(tempfile.gettempdir()).iterdir():
        if NAME.fullmatch(folder.name):
            with contextlib.suppress(OSError):  # no folder, another user's, in use, or just being removed
                _remove_if_abandoned(folder)


def _remove_if_abandoned(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(lock).st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _kill_users(folder)
            watchdog.remove(folder)
    finally:
        os.close(lock)


def _kill_users(folder: Path) -> None:
    """Ends Triton and its models' processes, which were given the workspace's name."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            program, *arguments = process.cmdline() or [""]
            is_triton = Path(program).name in ("tritonserver", stubs.NAME)
            if is_triton and any(f"{folder.name}_" in each for each in arguments):
                process.kill()
