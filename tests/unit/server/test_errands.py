"""Requests on their way, with a Triton that is not there, does not answer, or fails in gRPC's own words."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from server.doorman import ANYBODY, Doorman, Refused
from server.errands import Errands
from server.measures import Measures
from server.texts import is_fit_for_clients
from tests.server.wire import good, request

messages: Any = service_pb2
QUESTIONS = [
    ("ServerMetadata", messages.ServerMetadataRequest()),
    ("ModelMetadata", messages.ModelMetadataRequest(name="mvsam")),
    ("ModelConfig", messages.ModelConfigRequest(name="mvsam")),
    ("ModelStatistics", messages.ModelStatisticsRequest(name="mvsam")),
    ("ModelStatistics", messages.ModelStatisticsRequest()),
    ("ModelInfer", request("mvsam", good("mvsam"), ("AREAS",))),
]
LOST = (  # what gRPC says of a Triton that has gone
    "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:41873: Failed to connect to remote host",
    "recvmsg:Connection reset by peer",
    "ipv4:127.0.0.1:41873: Endpoint closing",
    "Socket closed",
)


class Triton(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers with an error, or not at all."""

    def __init__(self, text: str | None) -> None:
        self._text = text

    async def _answer(self, request: Any, context: Any) -> Any:
        if self._text is None:
            await asyncio.Event().wait()
        await context.abort(grpc.StatusCode.UNAVAILABLE, self._text)

    ServerMetadata = ModelMetadata = ModelConfig = ModelStatistics = ModelReady = ModelInfer = _answer


@asynccontextmanager
async def errands(address: str, is_ready: bool = True, within: float = 60.0) -> AsyncIterator[Errands]:
    doorman = Doorman([])
    measures = Measures(lambda: is_ready, lambda: doorman.inside, {})
    made = Errands(address, lambda: is_ready, doorman, measures, described_within=within)
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def triton(text: str | None) -> AsyncIterator[str]:
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Triton(text), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


async def asked(errands: Errands, method: str, message: Any) -> Any:
    if method == "ModelInfer":
        copy = messages.ModelInferRequest()
        copy.CopyFrom(message)
        return [answer async for answer in errands.run(copy, ANYBODY)]
    if method == "ModelStatistics":
        return await errands.statistics(message)
    return await errands.described(method, message)


async def assert_refused(errands: Errands, method: str, message: Any) -> None:
    with pytest.raises(Refused, match="try again in a few seconds") as refused:
        await asked(errands, method, message)
    text = str(refused.value)
    assert refused.value.status is grpc.StatusCode.UNAVAILABLE
    assert is_fit_for_clients(text) and "127." not in text and "ipv4" not in text, text
    assert not await errands.is_model_ready("mvsam")


def within_a_minute(act: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await act()

    asyncio.run(limited())


@pytest.mark.parametrize(("method", "message"), QUESTIONS)
@pytest.mark.parametrize("is_ready", [True, False])
def test_where_triton_is_away_it_is_told_without_an_address(method: str, message: Any, is_ready: bool):
    async def act() -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            async with errands(f"127.0.0.1:{nobody.getsockname()[1]}", is_ready) as made:
                await assert_refused(made, method, message)

    within_a_minute(act)


@pytest.mark.parametrize(("method", "message"), QUESTIONS)
@pytest.mark.parametrize("text", LOST)
def test_what_grpc_says_of_triton_is_not_passed_on(method: str, message: Any, text: str):
    async def act() -> None:
        async with triton(text) as address, errands(address) as made:
            await assert_refused(made, method, message)

    within_a_minute(act)


@pytest.mark.parametrize(("method", "message"), QUESTIONS[:-1])
def test_nobody_waits_for_a_triton_that_does_not_answer(method: str, message: Any):
    async def act() -> None:
        async with triton(None) as address, errands(address, within=0.1) as made:
            await assert_refused(made, method, message)

    within_a_minute(act)
