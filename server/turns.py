"""Work that only so many may do at once: who waits is let in in turns, one token after the other."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Lives in one event loop.

    Args:
        places: how many may work at once.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()  # whose turn comes first is first

    @asynccontextmanager
    async def turn(self, owner: str) -> AsyncIterator[None]:
        """Waits for a place, which is taken for the time of the block; who is cancelled meanwhile waits no more."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(place)
        self._let_in()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it had come just now
                self._leave()
            raise
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        self._free += 1
        self._let_in()

    def _let_in(self) -> None:
        while self._free and self._waiting:
            owner, places = next(iter(self._waiting.items()))
            place = places.popleft()
            self._waiting.move_to_end(owner)
            if not places:
                del self._waiting[owner]
            if not place.done():  # else whoever waited has left
                self._free -= 1
                place.set_result(None)
