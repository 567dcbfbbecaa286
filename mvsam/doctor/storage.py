"""Room on the disk, and folders that can be written."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from mvsam_client.doctor import Finding, Machine, ok, problem, warning
from mvsam_client.doctor.machine import nearest

GIB = 1 << 30
LEAST, ENOUGH = 1 * GIB, 10 * GIB  # the demo's graphs take some megabytes, those of `large` 5 GB beside its weights
FOLDERS = ("build", "out")


def examine(machine: Machine) -> Iterator[Finding]:
    """Of the project's folder."""
    room = machine.room(machine.project)
    free = f"the disk of {machine.project} has {room.free / GIB:.1f} GiB free"
    if room.free < LEAST:
        yield problem(
            free,
            "Exports, logs and results end half written.",
            "make room: `make clean` removes what was built, `pip cache purge` what pip keeps",
        )
    elif room.free < ENOUGH:
        yield warning(
            free,
            "That is enough for the demo; the large presets' weights and graphs take 10 GiB.",
            "make room before you export one",
        )
    else:
        yield ok(free)
    refused = {folder: reason for folder in FOLDERS if (reason := _cannot_write(machine.project / folder))}
    for folder, reason in refused.items():
        path = machine.project / folder
        yield problem(
            f"{path} cannot be written ({reason})",
            "Nothing can be built or saved there.",
            f"give it to yourself (sudo chown -R $USER {path}), or remove what is in its place",
        )
    if not refused:
        yield ok(f"{' and '.join(f'{folder}/' for folder in FOLDERS)} can be written")


def _cannot_write(folder: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=nearest(folder)):  # without a name, and gone at once
            return ""
    except OSError as error:
        return error.strerror or str(error)
