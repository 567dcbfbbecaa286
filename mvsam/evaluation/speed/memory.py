"""Peak memory of a call above what lay in memory without it."""

import ctypes
import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")
PROCESS = Path("/proc/self")
RESET_PEAK = "5"  # of /proc/self/clear_refs


class MemoryMeter:
    """Measures first calls, whose runtimes may keep what they take: an arena grown for one case serves the next.

    On a CPU it is the process's resident memory; on a GPU what PyTorch allocates and what others take of the device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._kept: dict[int, int] = {}  # bytes that an owner has kept so far

    def measure(self, call: Callable[[], T], owners: Sequence[object], digest: Callable[[T], R]) -> tuple[R, int]:
        """The digest of what the call returns, and the bytes it needs at most: kept by its owners earlier, and new.

        Args:
            call: what is measured.
            owners: of memory that stays when the call has returned; new growth is put down to the first.
            digest: takes what is wanted of the result, which is dropped before what stays is counted.
        """
        kept = sum(self._kept.get(id(owner), 0) for owner in owners)
        measured = self._on_gpu if self.device.type == "cuda" else self._on_cpu
        digested, peak, growth = measured(call, digest)
        if owners:
            self._kept[id(owners[0])] = self._kept.get(id(owners[0]), 0) + growth
        return digested, kept + peak

    def _on_cpu(self, call: Callable[[], T], digest: Callable[[T], R]) -> tuple[R, int, int]:
        _return_freed()
        (PROCESS / "clear_refs").write_text(RESET_PEAK)
        before = _status("VmRSS")
        result = call()
        peak = _status("VmHWM")
        digested = digest(result)
        del result
        _return_freed()
        return digested, max(peak - before, 0), max(_status("VmRSS") - before, 0)

    def _on_gpu(self, call: Callable[[], T], digest: Callable[[T], R]) -> tuple[R, int, int]:
        def taken_by_others() -> int:
            torch.cuda.synchronize(self.device)
            free, total = torch.cuda.mem_get_info(self.device)
            return total - free - torch.cuda.memory_reserved(self.device)

        before = taken_by_others()
        torch.cuda.reset_peak_memory_stats(self.device)
        allocated = torch.cuda.memory_allocated(self.device)
        result = call()
        others = max(taken_by_others() - before, 0)
        peak = torch.cuda.max_memory_allocated(self.device) - allocated + others
        digested = digest(result)
        return digested, peak, others


def _return_freed() -> None:
    """Freed memory goes back to the system, so that it does not hide what the next call takes."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def _status(field: str) -> int:
    """Bytes, as the kernel says."""
    for line in (PROCESS / "status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{PROCESS / 'status'} has no {field}: peak memory is measured on Linux only")
