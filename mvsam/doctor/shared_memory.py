"""Shared memory, through which Triton and its Python models hand each other tensors."""

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator

from mvsam_client.doctor import Finding, Machine, ok, problem, warning
from mvsam_client.doctor.programs import Program, commands

MIB, GIB = 1 << 20, 1 << 30
LEAST = 256 * MIB  # of the whole: the demo's server alone takes 140 MiB
ENOUGH = 2 * GIB  # free: large presets' features of 40 views, 17 MB each, and copies of some
# As `server.launcher` names its segments, by its own process and at random.
SEGMENT = re.compile(r"(mvsam_(\d+)_[0-9a-f]{8}_)")


def examine(machine: Machine) -> Iterator[Finding]:
    """Its size, and what servers that are gone left there."""
    folder = machine.shared_memory
    if not folder.is_dir():
        yield ok(f"{folder} is not there: Linux alone has it, and servers run there alone")
        return
    room = machine.room(folder)
    if room.total < LEAST:
        yield problem(
            f"{folder} has {room.total // MIB} MiB in all",
            "Triton's Python models get their tensors through it; they die with a bus error where it is full.",
            "start the container with --shm-size=8g, or mount -o remount,size=8G /dev/shm",
        )
    elif room.free < ENOUGH:
        yield warning(
            f"{folder} has {room.free // MIB} MiB free of {room.total // MIB}",
            "Requests with many photographs may fill it, and models die with a bus error then.",
            "remove what nobody uses there, or start the container with --shm-size=8g, or "
            "mount -o remount,size=8G /dev/shm",
        )
    else:
        yield ok(f"{folder} has {room.free / GIB:.1f} GiB free of {room.total / GIB:.1f}")
    yield from _left(machine)


def _left(machine: Machine) -> Iterator[Finding]:
    sizes: dict[str, int] = defaultdict(int)
    launchers: dict[str, int] = {}
    for entry in machine.shared_memory.iterdir():
        if match := SEGMENT.match(entry.name):
            sizes[match[1]] += entry.stat().st_size
            launchers[match[1]] = int(match[2])
    running = list(commands(machine.processes)) if sizes else []
    alive = {program.pid for program in running}
    for prefix, size in sorted(sizes.items()):
        users = [program for program in running if prefix in program.command]
        if launchers[prefix] in alive:
            yield ok(f"{size / MIB:.0f} MiB of it belong to the server of process {launchers[prefix]}")
        elif users:
            yield _orphans(prefix, users)
        else:
            yield warning(
                f"{size / MIB:.0f} MiB of it were left by a server that is gone (process {launchers[prefix]})",
                "Nobody uses them, and they stay until the machine restarts.",
                f"rm {shlex.quote(str(machine.shared_memory))}/{prefix}*",
            )


def _orphans(prefix: str, users: list[Program]) -> Finding:
    numbers = " ".join(str(program.pid) for program in users)
    return warning(
        f"a Triton runs on whose launcher is gone (processes {numbers})",
        "It holds memory and cores, and no client reaches it.",
        f"kill {numbers}, then rm /dev/shm/{prefix}*",
    )
