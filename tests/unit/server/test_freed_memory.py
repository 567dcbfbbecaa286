"""What the process has freed goes back to the system."""

import asyncio

import pytest

from server import freed_memory

SIZE, COUNT = 4000, 40_000  # bytes, too few for mappings of their own


def test_what_is_freed_goes_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(freed_memory, "LOOK_EVERY", 0.01)

    async def act() -> None:
        giving = asyncio.create_task(freed_memory.give_back())
        await asyncio.sleep(0)
        before = freed_memory.resident()
        blocks = [bytes(SIZE) for _ in range(COUNT)]
        kept = blocks[::100]  # so that the heap cannot just end earlier
        blocks.clear()
        assert freed_memory.resident() > before + SIZE * COUNT / 2, "the C library keeps it"
        async with asyncio.timeout(60):
            while freed_memory.resident() > before + SIZE * COUNT / 4:
                await asyncio.sleep(0.01)
        giving.cancel()
        assert kept

    asyncio.run(act())
