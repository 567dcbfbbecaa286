"""The facts that checks go by. Checks read them here and nowhere else, so that tests can plant faults."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

from mvsam_client.address import Address

PROGRAM_WITHIN = 30.0  # seconds


class Room(NamedTuple):
    """Of a file system, in bytes."""

    total: int
    free: int


class Output(NamedTuple):
    """What a program said, standard error after standard output, and its exit code."""

    text: str
    code: int


def room_of(path: Path) -> Room:
    """Of the file system that a path is on, or would be: that of its nearest folder.

    Raises:
        OSError: it cannot be asked.
    """
    usage = shutil.disk_usage(nearest(path))
    return Room(usage.total, usage.free)


def nearest(path: Path) -> Path:
    """The path, or the nearest of its parents that exists."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def installed(folders: Sequence[str] | None = None) -> dict[str, str]:
    """Version by name (lower case, hyphens) of the packages that Python finds, in `sys.path` where None."""
    found: dict[str, str] = {}
    for each in distributions() if folders is None else distributions(path=list(folders)):
        name = each.metadata["Name"]
        if name:  # what a broken uninstallation leaves has none
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), each.version)
    return found


@dataclass(frozen=True)
class Machine:
    """One machine, as `mvsam doctor` sees it.

    Attributes:
        address: of the server.
        http_port: of its health and metrics, on the same machine.
        project: the folder of the project, with weights/, build/ and out/.
        python: major and minor version.
        packages: see `installed`.
        program_path: where programs are looked for, as PATH.
        processes: as Linux shows them under /proc.
        shared_memory: the folder of POSIX shared memory.
        room: of the file system that a path is on.
    """

    address: Address
    http_port: int = 8000
    project: Path = Path(".")
    python: tuple[int, int] = (sys.version_info.major, sys.version_info.minor)
    packages: Mapping[str, str] = field(default_factory=installed)
    program_path: str = field(default_factory=lambda: os.environ.get("PATH", ""))
    processes: Path = Path("/proc")
    shared_memory: Path = Path("/dev/shm")
    room: Callable[[Path], Room] = room_of

    def run(self, program: str, *arguments: str) -> Output | None:
        """What a program says; None where there is none of this name.

        A program that does not end in time has the exit code 124, as of `timeout`.
        """
        found = shutil.which(program, path=self.program_path)
        if found is None:
            return None
        try:
            done = subprocess.run(
                [found, *arguments],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PROGRAM_WITHIN,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Output(f"it did not end within {PROGRAM_WITHIN:g} s", 124)
        except OSError as error:
            return Output(f"it cannot be run ({error.strerror})", 126)
        return Output((done.stdout + done.stderr).strip(), done.returncode)
