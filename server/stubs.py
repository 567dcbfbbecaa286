"""Triton's processes, seen from outside: it does not notice itself when one that hosts a Python model dies or hangs."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

NAME = "triton_python_backend_stub"
GONE_WITHIN = 2.0  # seconds: for the kernel to take down processes that were killed
_INSTANCE = re.compile(r"(.+)_\d+_\d+")  # model, instance group, place in the group


@dataclass(frozen=True)
class Stub:
    """One such process and the model that it hosts."""

    process: psutil.Process
    model: str

    def is_alive(self) -> bool:
        """Whether it runs, or could."""
        return is_alive(self.process)

    def seconds(self) -> float:
        """Of computation so far."""
        try:
            times = self.process.cpu_times()
        except psutil.NoSuchProcess:
            return 0.0
        return times.user + times.system

    def kill(self) -> None:
        """Ends it, whatever it does."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self.process.kill()


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs, or could: a zombie cannot."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def stubs_of(server: int) -> list[Stub]:
    """The stubs of a `tritonserver`, by its process number."""
    found = []
    try:
        children = psutil.Process(server).children()
    except psutil.NoSuchProcess:
        return []
    for process in children:
        try:
            command = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        if command and command[0].endswith(NAME):
            models = [match[1] for word in command[1:] if (match := _INSTANCE.fullmatch(word))]
            found += [Stub(process, model) for model in models[:1]]
    return found


def end_group(group: int) -> None:
    """Kills what lives of a group of processes, by its number, and returns when all of it has ended.

    Ended is not gone: they are not our children, and whoever inherits them may leave them zombies for seconds, as the
    first process of a container often does. A zombie holds no memory, file or port any more.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    members = list(_members(group))
    deadline = time.monotonic() + GONE_WITHIN
    while any(map(is_alive, members)) and time.monotonic() < deadline:
        time.sleep(0.01)


def _members(group: int) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group:
                yield process
