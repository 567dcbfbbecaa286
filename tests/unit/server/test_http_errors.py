"""What is sent to the HTTP port and is no HTTP: one short error in our own form, one line in the log."""

import asyncio
import json
import logging
import re

import pytest
from aiohttp import web

from server.http_errors import runner_of
from server.limits import EntryLimits
from tests.waiting import PATIENCE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)  # of gRPC
HEAD = b"Host: x\r\nContent-Length: 2\r\n"
BROKEN = {
    "gRPC": PREFACE,
    "gRPC after a request": b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n" + PREFACE,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2,
    "text": b"hello, is anybody there?\r\n\r\n",
    "another version": b"GET /page HTTP/9.9\r\nHost: x\r\n\r\n",
    "a header without a colon": b"GET /page HTTP/1.1\r\nHost x\r\n\r\n",
    "a header with a null": b"GET /page HTTP/1.1\r\nHost: \0\r\n\r\n",
    "two lengths": b"POST /page HTTP/1.1\r\nContent-Length: 3\r\n" + HEAD + b"\r\nab",
    "a length that is no number": b"POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: two\r\n\r\nab",
    "a broken chunk": b"POST /page HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n",
    "a path that is too long": b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header that is too long": b"GET /page HTTP/1.1\r\nHost: x\r\nX-Y: " + b"x" * 20_000 + b"\r\n\r\n",
    "an expectation": b"POST /page HTTP/1.1\r\nConnection: close\r\nExpect: the-unexpected\r\n" + HEAD + b"\r\nab",
}


async def page(request: web.Request) -> web.Response:
    return web.json_response({"read": (await request.read()).decode()})


async def sent(data: bytes) -> bytes:
    """All that comes back, until the server closes the connection."""
    runner = runner_of([web.get("/page", page), web.post("/page", page)], EntryLimits())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        try:
            writer.write(data)
            async with asyncio.timeout(PATIENCE):
                return await reader.read()
        finally:
            writer.close()
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_http_is_told_so_in_our_own_form(name: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    answer = asyncio.run(sent(BROKEN[name]))
    *_, last = re.split(rb"HTTP/1\.[01] (?=\d{3} )", answer)
    head, _, body = last.partition(b"\r\n\r\n")
    assert head.startswith(b"4"), answer
    assert b"Content-Type: application/json" in head and b"Server: mvsam" in head and b"aiohttp" not in answer
    assert json.loads(body).keys() == {"error"} and len(body) < 200
    assert len(caplog.records) <= 1 and not any(record.exc_info for record in caplog.records)
    assert "\n" not in caplog.text.rstrip()


def test_grpc_is_told_where_to_go():
    answer = asyncio.run(sent(PREFACE))
    assert b"gRPC clients use the gRPC port" in answer
