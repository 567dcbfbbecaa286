"""Which program listens on a port, and which programs run at all, as Linux tells under /proc."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LISTENING = "0A"  # a socket's state in /proc/net/tcp
LOOPBACK = "127.0.0.1"
SHOWN = 80  # characters of a command


@dataclass(frozen=True)
class Program:
    """One that runs.

    Attributes:
        pid: its process number.
        command: its command line, or as much of it as a line holds.
    """

    pid: int
    command: str

    def __str__(self) -> str:
        return f"`{self.command}` (process {self.pid})"


def is_taken(port: int) -> bool:
    """Whether no server could listen on a loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        # As servers do: connections of the past that linger are no obstacle.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def listener(port: int, processes: Path) -> Program | None:
    """Who listens on a port; None where that cannot be told, as of another user's programs."""
    wanted = {f"socket:[{inode}]" for inode, number in _listening(processes) if number == port}
    for handle in processes.glob("[0-9]*/fd/*") if wanted else ():
        try:
            if os.readlink(handle) in wanted:
                return _program(handle.parent.parent)
        except OSError:  # it has ended meanwhile, or is none of ours
            continue
    return None


def ports_of(program: Program, processes: Path) -> set[int]:
    """The ports that a program listens on, as far as it may be looked at."""
    open_files = set()
    for handle in (processes / str(program.pid) / "fd").glob("*"):
        try:
            open_files.add(os.readlink(handle))
        except OSError:  # it was closed meanwhile
            continue
    return {port for inode, port in _listening(processes) if f"socket:[{inode}]" in open_files}


def commands(processes: Path) -> Iterator[Program]:
    """The programs that run, with their whole command lines."""
    for folder in processes.glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        yield Program(int(folder.name), b" ".join(words).decode(errors="replace").strip())


def _program(folder: Path) -> Program:
    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return Program(int(folder.name), words if len(words) <= SHOWN else f"{words[: SHOWN - 1]}…")


def _listening(processes: Path) -> Iterator[tuple[str, int]]:
    """Inode and port of every socket that waits for connections."""
    for table in ("tcp", "tcp6"):
        try:
            lines = (processes / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTENING:
                yield fields[9], int(fields[1].rpartition(":")[2], 16)
