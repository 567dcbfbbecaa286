"""Tests that memory which the process has freed goes back to the system."""

import subprocess
import sys

# In a process of its own: one that runs tests has free memory in which the blocks would lie.
PROGRAM = """
import threading
import time
from mvsam.runtime import freed_memory

SIZE, COUNT = 4000, 40_000  # bytes, too few for mappings of their own
freed_memory.LOOK_EVERY = 0.01
freed_memory.WORTH_IT = -1
look, looks = freed_memory.resident, []

def fail_at_first():
    looks.append(1)
    if len(looks) == 3:
        raise OSError("no descriptor is left")
    return look()

before = look()
blocks = [bytes(SIZE) for _ in range(COUNT)]
kept = blocks[::100]  # so that the heap cannot just end earlier
blocks.clear()
assert look() > before + SIZE * COUNT / 2, "the C library keeps it"
freed_memory.resident = fail_at_first
ended = threading.Event()
freed_memory.give_back(ended)
until = time.monotonic() + 60
while len(looks) < 6 or look() > before + SIZE * COUNT / 4:
    assert time.monotonic() < until, (len(looks), look() - before)
    time.sleep(0.01)
ended.set()
assert kept
"""


def test_what_is_freed_goes_back_though_a_look_fails():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=120)
