"""HTTP/2 as it travels between a client of gRPC and its server: pings, which no library tells of."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # before a client's first frame
HEADER = 9  # bytes of a frame: its length in three, its kind, its flags, its stream
SETTINGS, PING, GOAWAY = 4, 6, 7  # kinds of frames
ACKNOWLEDGED = 1  # a flag

# Of a client that pings as often as gRPC lets it, which is once a second.
EAGER = [
    ("grpc.keepalive_time_ms", 100),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_http_proxy", 0),
]
PINGS = 6  # gRPC's server ends a connection at the fifth, where it takes none


class Relay:
    """Lies between clients and a server and counts; lives in one event loop.

    Attributes:
        url: HOST:PORT, for clients.
        connections: that clients have made.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self.url, self.connections = "", 0
        self._pings = 0
        self._changed = asyncio.Condition()

    async def pinged(self, times: int) -> None:
        """Waits for so many further pings."""
        async with self._changed:
            until = self._pings + times
            await self._changed.wait_for(lambda: self._pings >= until)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        self.connections += 1
        answers, requests = await _connected(self._server)
        back = asyncio.create_task(_copy(answers, writer))
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                requests.write(await reader.readexactly(len(PREFACE)))
                while True:
                    header, rest = await _frame(reader)
                    requests.write(header + rest)
                    await requests.drain()
                    if header[3] == PING and not header[4] & ACKNOWLEDGED:
                        async with self._changed:
                            self._pings += 1
                            self._changed.notify_all()
        finally:
            requests.close()
            back.cancel()


@asynccontextmanager
async def relayed(server: str) -> AsyncIterator[Relay]:
    """One before a server at HOST:PORT."""
    relay = Relay(server)
    listening = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    async with listening:
        relay.url = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield relay


async def sent(server: str, *frames: bytes) -> AsyncIterator[int]:
    """Sends frames all at once; the kinds of those that come back, up to the server's farewell."""
    answers, requests = await _connected(server)
    requests.write(PREFACE + frame(SETTINGS, b"") + b"".join(frames))
    kind = SETTINGS
    while kind != GOAWAY:
        header, _ = await _frame(answers)
        yield (kind := header[3])
    requests.close()


def frame(kind: int, rest: bytes) -> bytes:
    """A frame of the connection itself, without flags."""
    return len(rest).to_bytes(3, "big") + bytes([kind]) + bytes(HEADER - 4) + rest


async def _connected(server: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = server.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def _frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    header = await reader.readexactly(HEADER)
    return header, await reader.readexactly(int.from_bytes(header[:3], "big"))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(ConnectionError):
            while data := await reader.read(2**16):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
