"""Gives memory back to the system that the process has freed: the C library keeps most of it, and a server for days."""

import asyncio
import ctypes
import os
from pathlib import Path

LOOK_EVERY = 0.5  # seconds
WORTH_IT = 2**25  # bytes more than the least that the process has had


async def give_back() -> None:
    """Looks again and again whether the process has grown; never returns."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc; other libraries give back by themselves
    least = resident()
    while trim is not None:
        await asyncio.sleep(LOOK_EVERY)
        if resident() > least + WORTH_IT:
            await asyncio.to_thread(trim, 0)
        least = min(least, resident())


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
