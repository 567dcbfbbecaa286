"""What one stream of gRPC may ask for: each message is a request, and those who do not read are not read from."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import contextmanager
from typing import Any

import grpc
from tritonclient.grpc import service_pb2

from server.doorman import ANYBODY, Refused, Token
from server.entry import REQUESTS_OF_A_STREAM, Entry

messages: Any = service_pb2


class Errands:
    """Counts what is spent, and answers each request once."""

    def __init__(self, left: int) -> None:
        self.left, self.begun, self.held, self.all_held = left, 0, list[int](), True

    def identified(self, metadata: Any) -> Token:
        return ANYBODY

    def spend(self, token: Token) -> None:
        self.left -= 1
        if self.left < 0:
            raise Refused(grpc.StatusCode.UNAVAILABLE, "quota", "too many requests a minute")

    @contextmanager
    def holding(self, token: Token, size: int):
        self.held.append(size)
        yield
        self.held.append(-size)

    def hold_until_done(self, answer: Any, token: Token, context: Any) -> None:
        self.held.append(0)

    async def run(self, request: Any, token: Token, trace: Any) -> AsyncGenerator[Any, None]:
        self.begun += 1
        self.all_held &= sum(self.held) >= request.ByteSize() > 0
        yield messages.ModelInferResponse(id=request.id)


class Context:
    def invocation_metadata(self) -> Any:
        return []


def streamed(errands: Any, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    return Entry(errands, lambda: True).ModelStreamInfer(requests, Context())


def test_each_message_counts_the_unreadable_too():
    async def sent() -> AsyncIterator[Any]:
        for request_id in ("1", "2"):
            yield messages.ModelInferRequest(id=request_id)
        for _ in range(3):
            yield None  # see `server.grpc_admission`

    async def act() -> list[str]:
        return [part.error_message or part.infer_response.id async for part in streamed(errands, sent())]

    errands = Errands(2)
    told = asyncio.run(act())
    assert errands.all_held, "the bytes of each count while it is served"
    assert told[:2] == ["1", "2"], "the first is paid by the call itself"
    assert told[2].startswith("INVALID_ARGUMENT: the message cannot be read")
    assert told[3:] == ["UNAVAILABLE: too many requests a minute"] * 2


def test_who_does_not_read_the_answers_is_not_read_from():
    read = 0

    async def sent() -> AsyncIterator[Any]:
        nonlocal read
        for _ in range(10 * REQUESTS_OF_A_STREAM):
            read += 1
            yield messages.ModelInferRequest()

    async def act() -> None:
        answers = streamed(Errands(10_000), sent())
        await anext(answers)
        for _ in range(1000):
            await asyncio.sleep(0)
        assert read <= REQUESTS_OF_A_STREAM + 4
        assert len([answer async for answer in answers]) == 10 * REQUESTS_OF_A_STREAM - 1

    asyncio.run(act())


def test_a_call_without_a_stream_holds_its_bytes_too():
    async def act() -> None:
        errands: Any = Errands(1)
        answer = await Entry(errands, lambda: True).ModelInfer(messages.ModelInferRequest(id="7"), Context())
        assert answer.id == "7" and errands.held == [3, -3, 0], "the answer counts from then on"

    asyncio.run(act())
