"""What holds of a gRPC connection before it has a call: how many calls it may have, and how long it may have none."""

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable

import grpc
import pytest

from server import grpc_admission
from server.limits import EntryLimits
from tests.server.relay import HEADER, PREFACE, SETTINGS, frame
from tests.unit.server.listening import listening

MOST_CALLS = 3  # SETTINGS_MAX_CONCURRENT_STREAMS of HTTP/2
Act = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def connected(act: Act) -> None:
    """Runs something on a connection to a server with the entry's options, which has no methods."""

    async def limited() -> None:
        server = grpc.aio.server(options=grpc_admission.options(EntryLimits()))
        async with asyncio.timeout(30), listening(server) as address:
            host, _, port = address.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                await act(reader, writer)
            finally:
                writer.close()

    asyncio.run(limited())


async def read_until_it_ends(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionResetError):
        while await reader.read(2**16):
            pass


def test_a_connection_is_told_how_many_calls_it_may_have_at_once():
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(PREFACE + frame(SETTINGS, b""))
        header = await reader.readexactly(HEADER)
        assert header[3] == SETTINGS
        settings = dict(struct.iter_unpack(">HI", await reader.readexactly(int.from_bytes(header[:3]))))
        assert settings[MOST_CALLS] == 128

    connected(act)


def test_a_connection_that_asks_nothing_is_ended(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grpc_admission, "CONNECTION_IDLE", 0.2)

    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(PREFACE + frame(SETTINGS, b""))
        await read_until_it_ends(reader)

    connected(act)


def test_a_connection_that_never_speaks_is_ended(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grpc_admission, "HANDSHAKE", 0.2)

    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_until_it_ends(reader)

    connected(act)
