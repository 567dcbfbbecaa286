"""TLS of the HTTP port: nothing is resumed, and handshakes that do not come to their end do."""

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from server import http_errors
from server.http_errors import Site, runner_of
from server.identity import follow_identity, http_context
from server.incoming import Incoming
from server.limits import EntryLimits
from tests.waiting import PATIENCE

AUTHORITY = trustme.CA()


async def page(request: web.Request) -> web.Response:
    return web.Response(text="here")


@contextlib.asynccontextmanager
async def serving(folder: Path, incoming: Incoming | None = None, with_clients: bool = False) -> AsyncIterator[int]:
    """Yields the port of a server; with an authority of clients, where it looks at their certificates."""
    file = folder / "server.pem"
    AUTHORITY.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(file)
    authority = folder / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(authority)
    identity = follow_identity(file, file, authority if with_clients else None)
    runner = runner_of([web.get("/", page)], EntryLimits(), incoming)
    await runner.setup()
    try:
        await Site(runner, "127.0.0.1", 0, ssl_context=http_context(identity)).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def of_client() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


def asked(
    port: int, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[bool, ssl.SSLSession | None]:
    """Asks for the page; returns whether a session was resumed, and the new one."""
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as encrypted,
    ):
        encrypted.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while encrypted.recv(2**16):
            pass
        return bool(encrypted.session_reused), encrypted.session


def test_no_session_is_resumed(tmp_path: Path):
    async def act() -> None:
        context = of_client()
        async with serving(tmp_path, with_clients=True) as port:
            _, session = await asyncio.to_thread(asked, port, context)
            resumed, _ = await asyncio.to_thread(asked, port, context, session)
            assert not resumed
            context.maximum_version = ssl.TLSVersion.TLSv1_2  # of which OpenSSL keeps sessions by itself
            with pytest.raises(ssl.SSLError):
                await asyncio.to_thread(asked, port, context)

    asyncio.run(act())


def test_a_handshake_that_does_not_begin_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http_errors, "HANDSHAKE", 0.2)

    async def act() -> None:
        async with serving(tmp_path) as port, asyncio.timeout(PATIENCE / 4):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await reader.read() == b""
            writer.close()

    asyncio.run(act())


def test_handshakes_make_room_for_newcomers_and_not_connections_that_are_through(tmp_path: Path):
    async def act() -> None:
        incoming = Incoming(sys.maxsize, 10)
        async with serving(tmp_path, incoming) as port, asyncio.timeout(PATIENCE / 4):
            through = await asyncio.open_connection("127.0.0.1", port, ssl=of_client())
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(12)]
            watching = asyncio.create_task(incoming.watch(port))
            assert await silent[0][0].read() == b""
            watching.cancel()
            reader, writer = through
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b"here" in await reader.read()
            for _, each in (through, *silent):
                each.close()

    asyncio.run(act())
