"""What the process has freed goes back to the system."""

import subprocess
import sys

# In a process of its own: one that runs tests has free memory in which the blocks would lie.
PROGRAM = """
import asyncio
from server import freed_memory

SIZE, COUNT = 4000, 40_000  # bytes, too few for mappings of their own
freed_memory.LOOK_EVERY = 0.01

async def act():
    before = freed_memory.resident()
    blocks = [bytes(SIZE) for _ in range(COUNT)]
    kept = blocks[::100]  # so that the heap cannot just end earlier
    blocks.clear()
    assert freed_memory.resident() > before + SIZE * COUNT / 2, "the C library keeps it"
    giving = asyncio.create_task(freed_memory.give_back())
    freed_memory.WORTH_IT = -1
    async with asyncio.timeout(60):
        while freed_memory.resident() > before + SIZE * COUNT / 4:
            await asyncio.sleep(0.01)
    giving.cancel()
    assert kept

asyncio.run(act())
"""


def test_what_is_freed_goes_back():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=120)
