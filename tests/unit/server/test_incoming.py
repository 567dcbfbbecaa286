"""Messages that break off in the middle: whose connection is ended, and that it is."""

import asyncio
import ipaddress

import pytest

from server.incoming import Incoming
from server.peers import Address, plain
from tests.server.relay import PREFACE

MEBIBYTE = 2**20
HOST = ipaddress.ip_address("10.0.0.1")


def incoming(**owners: str) -> Incoming:
    """Connections from ports by their names, such as p1, of owners."""
    made = Incoming(10 * MEBIBYTE)
    for name, owner in owners.items():
        made.called((HOST, int(name[1:])), owner)
    return made


def received(**sizes: int) -> dict[Address, int]:
    return {(HOST, int(name[1:])): size * MEBIBYTE for name, size in sizes.items()}


def test_what_has_been_read_is_not_on_its_way():
    made = incoming(p1="a", p2="b")
    for _ in range(100):
        made.read((HOST, 1), MEBIBYTE)
    assert made.too_much(received(p1=104, p2=1)) == []
    assert made.too_much(received(p1=112, p2=1)) == [(HOST, 1)]


def test_the_largest_of_the_owner_with_most_is_ended():
    made = incoming(p1="a", p2="a", p3="a", p4="b")
    assert made.too_much(received(p1=2, p2=3, p3=2, p4=5)) == [(HOST, 2)]
    assert made.too_much(received(p1=1, p2=1, p3=1, p4=4)) == []


def test_one_owner_has_half_where_there_are_others():
    assert incoming(p1="a").too_much(received(p1=9)) == []
    assert incoming(p1="a", p2="b").too_much(received(p1=9, p2=0)) == [(HOST, 1)]


def test_as_many_are_ended_at_once_as_are_too_many():
    made = incoming(p1="a", p2="a", p3="a", p4="a", p5="b")
    assert made.too_much(received(p1=4, p2=40, p3=1, p4=30, p5=4)) == [(HOST, 2), (HOST, 4)]


def test_what_frames_and_encryption_add_is_not_on_its_way():
    made = incoming(p1="a", p2="b")
    made.read((HOST, 1), 2000 * MEBIBYTE)
    assert made.too_much(received(p1=2008, p2=1)) == []


def test_the_oldest_that_ask_nothing_make_room_for_newcomers():
    made = Incoming(MEBIBYTE, connections=10)
    first = {(HOST, port): 0 for port in (1, 2, 3, 4, 5, 6)}
    made.called((HOST, 2), "a")
    assert made.too_many(first) == []
    crowd = {(HOST, port): 0 for port in range(20, 24)} | first
    assert made.too_many(crowd) == [(HOST, 1), (HOST, 3)]
    assert made.too_many({(HOST, port): 0 for port in (2, 4, 5, 6, 20, 21, 22, 23, 24)}) == []


def test_who_has_asked_for_health_alone_goes_before_clients():
    made = Incoming(MEBIBYTE, connections=10)
    for port in range(9):
        made.called((HOST, port), "a" if port % 2 else "visitor")
    assert made.too_many({(HOST, port): 0 for port in range(10)}) == [(HOST, 9), (HOST, 0)]


def test_a_look_that_finds_no_descriptor_is_not_the_last(monkeypatch: pytest.MonkeyPatch):
    looks: list[int] = []

    async def act() -> None:
        again, loop = asyncio.Event(), asyncio.get_running_loop()

        def look(port: int) -> dict[Address, int]:
            looks.append(port)
            if len(looks) == 1:
                raise OSError(24, "Too many open files")
            loop.call_soon_threadsafe(again.set)
            return {}

        monkeypatch.setattr("server.incoming._received", look)
        watching = asyncio.create_task(Incoming(MEBIBYTE).watch(1))
        waiting = asyncio.create_task(again.wait())
        await asyncio.wait({watching, waiting}, return_when=asyncio.FIRST_COMPLETED)
        assert not watching.done()
        watching.cancel()

    asyncio.run(act())
    assert looks == [1, 1]


def test_connections_that_have_gone_are_forgotten():
    made = incoming(p1="a", p2="b")
    made.too_much(received(p2=1))
    assert made.too_much(received(p1=100, p2=1)) == []


def test_a_message_that_breaks_off_ends_its_connection():
    async def act() -> None:
        asked = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            host, port = writer.get_extra_info("peername")
            made.called(plain(host, port), "a")
            asked.set()
            while await reader.read(2**16):
                pass
            writer.close()

        made = Incoming(MEBIBYTE)
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        watching = asyncio.create_task(made.watch(port))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(PREFACE)
        await asked.wait()
        writer.write(bytes(2 * MEBIBYTE))
        assert await reader.read() == b""
        watching.cancel()
        writer.close()
        server.close()

    async def limited() -> None:
        async with asyncio.timeout(60):
            await act()

    asyncio.run(limited())
