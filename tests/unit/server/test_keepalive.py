"""Clients that ping their connection, with gRPC's own client and server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from server.entry import OPTIONS
from tests.server.relay import EAGER, GOAWAY, PING, PINGS, Relay, frame, relayed, sent
from tests.unit.server.listening import listening

messages: Any = service_pb2


class Slow(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.begun, self.done = asyncio.Event(), asyncio.Event()

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.begun.set()
        await self.done.wait()
        return messages.ModelInferResponse(id=request.id)

    async def ModelStreamInfer(self, requests: Any, context: Any) -> Any:  # noqa: N802
        async for request in requests:
            yield messages.ModelStreamInferResponse(infer_response=messages.ModelInferResponse(id=request.id))


@asynccontextmanager
async def served() -> AsyncIterator[tuple[str, Slow]]:
    """Address of a server with the entry's options, and what answers there."""
    slow, server = Slow(), grpc.aio.server(options=OPTIONS)
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(slow, server)
    async with listening(server) as address:
        yield address, slow


@asynccontextmanager
async def pinging() -> AsyncIterator[tuple[Any, Slow, Relay]]:
    """A client's stub, what answers it, and what lies between them."""
    async with (
        served() as (address, slow),
        relayed(address) as relay,
        grpc.aio.insecure_channel(relay.url, options=EAGER) as channel,
    ):
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel), slow, relay


def within_a_minute(*acts: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for act in acts:
                group.create_task(act())  # pyright: ignore[reportArgumentType]

    asyncio.run(limited())


async def a_call_that_takes_long_is_answered() -> None:
    async with pinging() as (stub, slow, relay):
        call = stub.ModelInfer(messages.ModelInferRequest(id="7"))
        await slow.begun.wait()
        await relay.pinged(PINGS)
        slow.done.set()
        assert (await call).id == "7" and relay.connections == 1


async def a_stream_on_which_nothing_is_asked_stays() -> None:
    async with pinging() as (stub, _, relay):
        stream = stub.ModelStreamInfer()
        for request in ("1", "2"):
            await stream.write(messages.ModelInferRequest(id=request))
            assert (await stream.read()).infer_response.id == request
            await relay.pinged(PINGS)
        await stream.done_writing()
        assert relay.connections == 1


async def a_connection_without_calls_stays() -> None:
    async with pinging() as (stub, slow, relay):
        slow.done.set()
        for request in ("1", "2"):
            assert (await stub.ModelInfer(messages.ModelInferRequest(id=request))).id == request
            await relay.pinged(PINGS)
        assert relay.connections == 1


def test_clients_ping_as_often_as_they_can():
    within_a_minute(
        a_call_that_takes_long_is_answered,
        a_stream_on_which_nothing_is_asked_stays,
        a_connection_without_calls_stays,
    )


def test_a_flood_of_pings_is_cut():
    async def act() -> None:
        async with served() as (address, _):
            flood = [frame(PING, bytes(8))] * 100
            kinds = [kind async for kind in sent(address, *flood)]
            assert kinds[-1] == GOAWAY

    within_a_minute(act)
