"""How much memory a service takes while something happens to it: all its processes together, and each at its most.

Counted is the proportional set size, of which a page that several processes share is a part of each: resident sizes
would count such a page, above all one of shared memory, once for every process.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

LOOK_EVERY = 0.2  # seconds
MEGABYTE = 10**6
MODEL = re.compile(r"(\w+)_\d+_\d+")  # an instance of a model, as an argument of its process
PSS = re.compile(rb"^Pss: +(\d+) kB", re.MULTILINE)


@dataclass
class Peak:
    """The most that was seen, in bytes.

    Attributes:
        total: of all processes together, at one time.
        processes: of each, by its name, at any time.
    """

    total: int = 0
    processes: dict[str, int] = field(default_factory=dict)

    def add(self, sizes: dict[str, int]) -> None:
        """Takes another look into account."""
        self.total = max(self.total, sum(sizes.values()))
        for name, size in sizes.items():
            self.processes[name] = max(size, self.processes.get(name, 0))

    def __str__(self) -> str:
        largest = max(self.processes, key=self.processes.__getitem__)
        return f"{self.total / MEGABYTE:.0f} MB, {largest} {self.processes[largest] / MEGABYTE:.0f} MB"


@contextmanager
def watched(process: int) -> Iterator[Peak]:
    """Looks again and again at a process and all below it, for the time of the block; the peak is filled meanwhile."""
    peak, ended = Peak(sum((first := sizes(process)).values()), first), threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_EVERY):
            peak.add(sizes(process))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def sizes(process: int) -> dict[str, int]:
    """Bytes of a process and of all below it, by name; those of one name together, none where there is no process."""
    found: dict[str, int] = {}
    try:
        top = psutil.Process(process)
        family = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return found
    for each in family:
        try:
            name = "service" if each == top else _name(each)
            size = proportional_size(each.pid)
        except (psutil.Error, OSError):  # it has just ended
            continue
        found[name] = found.get(name, 0) + size
    return found


def proportional_size(process: int) -> int:
    """Bytes of one process.

    Raises:
        OSError: there is no such process, or it is another user's.
    """
    told = PSS.search(Path(f"/proc/{process}/smaps_rollup").read_bytes())
    return 1024 * int(told[1]) if told else 0


def _name(process: psutil.Process) -> str:
    """A model's where it is a model's process, else the program's."""
    for argument in process.cmdline():
        if model := MODEL.fullmatch(argument):
            return model[1]
        if argument.endswith("watchdog.py"):
            return "watchdog"
    return process.name()
