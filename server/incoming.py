"""Ends connections whose messages break off in the middle, or that ask nothing while others need room."""

import asyncio
import contextlib
import logging
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from server.limits import EntryLimits
from server.peers import Address, connections, hang_up

logger = logging.getLogger(__name__)

LOOK_EVERY = 0.05  # seconds: a gigabyte a second is no rarity
REST = 9  # times what a look takes, so that it never takes more than a tenth of the time
RECEIVED = 128  # where Linux' struct tcp_info has tcpi_bytes_received
CROWDED, ROOMY = 0.9, 0.8  # of the connections that a port takes: from where on some are ended, and down to where
VISITOR = "visitor"  # owner of calls that need no token
OVERHEAD = 0.005  # of what is received: frames, headers, TLS


@dataclass
class _Connection:
    """One that has been asked on.

    Attributes:
        owner: of its last call.
        read: bytes of its messages that were read.
    """

    owner: str = ""
    read: int = 0


@dataclass
class Incoming:
    """All connections of clients to one port; safe for threads.

    Attributes:
        most: bytes that may be on their way in all; half of it for one owner.
        connections: that the port takes.
    """

    most: int
    connections: int = EntryLimits.connections
    _without_calls: dict[Address, None] = field(default_factory=dict)  # the oldest first
    _known: dict[Address, _Connection] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def called(self, address: Address | None, owner: str) -> None:
        """Somebody's call has come by a connection."""
        if address:
            with self._lock:
                self._known.setdefault(address, _Connection()).owner = owner

    def read(self, address: Address | None, size: int) -> None:
        """A message of so many bytes has been read."""
        if address and (known := self._known.get(address)):
            known.read += size

    async def watch(self, port: int) -> None:
        """Looks again and again, and hangs up on whoever holds most where it is too much.

        In a thread of its own: what comes in does not wait for a busy event loop.

        Args:
            port: of the server.
        """
        ended = threading.Event()
        thread = threading.Thread(target=self._watch, args=(port, ended), name="incoming", daemon=True)
        thread.start()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    def _watch(self, port: int, ended: threading.Event) -> None:
        took = 0.0
        while not ended.wait(max(LOOK_EVERY, REST * took)):
            began = time.monotonic()
            try:
                received = dict(_received(port))
            except OSError as error:  # no descriptor is left for the look itself
                logger.warning("what is on its way could not be looked at: %s", error.strerror)
                continue
            with self._lock:
                peers, idle = self.too_much(received), self.too_many(received)
            if peers:
                logger.warning(
                    "connections are ended, %d of them: too much is on its way and does not come to its end", len(peers)
                )
            if idle:
                logger.warning("connections are ended, %d of them: they ask nothing, and others need room", len(idle))
            if peers or idle:
                hang_up(*peers, *idle)
            took = time.monotonic() - began

    def too_much(self, received: dict[Address, int]) -> list[Address]:
        """Returns the connections to end, if any, until the rest is no more than may be.

        Each is the largest of the owner with most on the way.

        Args:
            received: bytes so far, by connection.
        """
        self._known = {address: known for address, known in self._known.items() if address in received}
        on_the_way, by_owner = Counter[Address](), Counter[str]()
        for address, known in self._known.items():
            on_the_way[address] = max(0, int(received[address] * (1 - OVERHEAD)) - known.read)
            by_owner[known.owner] += on_the_way[address]
        of_one = self.most // 2 if len(by_owner) > 1 else self.most
        ended: list[Address] = []
        while by_owner.total() > self.most or max(by_owner.values(), default=0) > of_one:
            ((owner, _),) = by_owner.most_common(1)
            own = (each for each in on_the_way if self._known[each].owner == owner)
            ended.append(max(own, key=on_the_way.__getitem__))
            by_owner[owner] -= on_the_way.pop(ended[-1])
        return ended

    def too_many(self, received: dict[Address, int]) -> list[Address]:
        """Returns the connections to end so that newcomers find a place: the oldest of those that have asked nothing.

        Connections that have asked no more than how the service is come after those.

        Args:
            received: bytes so far, by connection.
        """
        seen = {address: None for address in self._without_calls if address in received}
        self._without_calls = seen | {address: None for address in received if address not in self._known}
        for address in self._known:
            self._without_calls.pop(address, None)
        if len(received) <= CROWDED * self.connections:
            return []
        visitors = [address for address, known in self._known.items() if known.owner == VISITOR]
        surplus = len(received) - int(ROOMY * self.connections)
        return [*self._without_calls, *visitors][:surplus]


def _received(port: int) -> Iterator[tuple[Address, int]]:
    """The other end of each connection to a port of ours, and how many bytes have come."""
    for connection, peer in connections():
        with contextlib.suppress(OSError, struct.error):
            if connection.getsockname()[1] == port:
                told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                yield peer, struct.unpack_from("=Q", told, RECEIVED)[0]
