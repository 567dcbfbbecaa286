"""The processes that host Python models, seen from outside: Triton itself does not notice when one dies or hangs."""

import contextlib
import re
from dataclasses import dataclass

import psutil

NAME = "triton_python_backend_stub"
_INSTANCE = re.compile(r"(.+)_\d+_\d+")  # model, instance group, place in the group


@dataclass(frozen=True)
class Stub:
    """One such process and the model that it hosts."""

    process: psutil.Process
    model: str

    def is_alive(self) -> bool:
        """Whether it runs, or could."""
        try:
            return self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

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
