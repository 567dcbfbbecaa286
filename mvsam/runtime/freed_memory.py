"""Gives memory back to the system that the process has freed: the C library keeps most of it, and a server for days."""

import ctypes
import os
import threading
from contextlib import suppress
from pathlib import Path

LOOK_EVERY = 0.5  # seconds
WORTH_IT = 2**25  # bytes that are free and not given back


class _Mallinfo(ctypes.Structure):
    """glibc's struct mallinfo2."""

    _fields_ = [
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")),
        *((name, ctypes.c_size_t) for name in ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")),
    ]


def give_back(ended: threading.Event) -> None:
    """Starts a thread that looks again and again for memory to give back, until the process ends or is told to."""
    library = ctypes.CDLL(None)
    try:  # of glibc 2.33 and later; other libraries give back by themselves
        told, trim = library.mallinfo2, library.malloc_trim
    except AttributeError:
        return
    told.restype = _Mallinfo

    def work() -> None:
        least = resident()
        while not ended.wait(LOOK_EVERY):
            with suppress(OSError):  # no descriptor is left for the look itself
                info = told()
                unused = resident() - info.uordblks - info.hblkhd  # programs and libraries too
                if unused > least + WORTH_IT:
                    trim(0)
                least = min(least, unused)

    threading.Thread(target=work, name="freed_memory", daemon=True).start()


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
