"""Pages of inference over HTTP, with errands that a test holds in its hands."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any

import grpc
import pytest
from aiohttp import ClientPayloadError, ClientResponse, ClientSession, web
from tritonclient.grpc import service_pb2

from server import http_errors
from server.doorman import ANYBODY, Refused, Token
from server.http_errors import runner_of
from server.http_inference import HttpInference
from server.limits import EntryLimits, Shares

messages: Any = service_pb2
BODY = {"inputs": [], "outputs": [{"name": "VIEW"}]}
LIMITS = EntryLimits()
SCENES, WHOLE = "/v2/models/mvsam_scene/infer", "/v2/models/mvsam/infer"


class EveryModel:
    """Stands in for what knows of models: whichever is asked for is there."""

    def check_public(self, model: str, version: str = "") -> None:
        pass


class Errands:
    """Answers what is put into it: numbers of views, and refusals."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[int | bytes | Exception | None] = asyncio.Queue()
        self.trace: Any = None
        self.admitted, self.in_flight = 0, Shares(400_000, "bytes are here", "bytes")
        self.begun, self.stopped = asyncio.Event(), asyncio.Event()
        self.introspection = EveryModel()

    async def run(self, request: Any, token: Token, trace: Any) -> AsyncGenerator[Any, None]:
        self.trace = trace
        self.begun.set()
        try:
            while (answer := await self.answers.get()) is not None:
                if isinstance(answer, Exception):
                    raise answer
                response = messages.ModelInferResponse(id=request.id, model_name=request.model_name, model_version="1")
                response.outputs.add(name="VIEW", datatype="INT32", shape=[1])
                response.raw_output_contents.append(
                    answer if isinstance(answer, bytes) else answer.to_bytes(4, "little")
                )
                yield response
        finally:
            self.stopped.set()

    def admit(self, metadata: Any) -> Token:
        self.admitted += 1
        return ANYBODY

    def holding(self, token: Token, size: int) -> AbstractContextManager[None]:
        return self.in_flight.held(token, size)

    def unread(self, model: str, token: Token, refused: Refused) -> Refused:
        return refused

    def counted(self, refused: Refused) -> Refused:
        return refused


Act = Callable[[Errands, HttpInference, ClientSession], Awaitable[None]]


def served(act: Act, limits: EntryLimits = LIMITS) -> None:
    async def serve() -> None:
        errands = Errands()
        given: Any = errands
        inference = HttpInference(given, limits)
        runner = runner_of(inference.routes(), limits)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with asyncio.timeout(30), ClientSession(url) as session:
                await act(errands, inference, session)
        finally:
            await runner.cleanup()

    asyncio.run(serve())


async def line(response: ClientResponse) -> Any:
    return json.loads(await response.content.readline())


def test_each_part_is_sent_as_soon_as_it_is_there():
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        await errands.answers.put(3)
        async with session.post(SCENES, json=BODY) as response:
            assert (await line(response))["outputs"][0]["data"] == [3]
            await errands.answers.put(5)  # only now
            assert (await line(response))["outputs"][0]["data"] == [5]
            await errands.answers.put(None)
            assert await response.read() == b""

    served(act)


def test_an_error_after_the_first_part_is_the_last_line():
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        refused = Refused(grpc.StatusCode.UNAVAILABLE, "lost", "the process was lost; try again")
        for answer in (3, refused):
            await errands.answers.put(answer)
        async with session.post(SCENES, json=BODY) as response:
            assert response.status == 200
            assert "outputs" in await line(response)
            assert await line(response) == {"error": "UNAVAILABLE: the process was lost; try again"}
            assert await response.read() == b""

    served(act)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 400),
        (grpc.StatusCode.UNAUTHENTICATED, 401),
        (grpc.StatusCode.NOT_FOUND, 404),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
        (grpc.StatusCode.INTERNAL, 500),
        (grpc.StatusCode.UNKNOWN, 500),
        (grpc.StatusCode.UNIMPLEMENTED, 501),
        (grpc.StatusCode.UNAVAILABLE, 503),
    ],
)
def test_an_error_before_it_has_its_code(status: grpc.StatusCode, code: int):
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        for path in (SCENES, WHOLE):
            await errands.answers.put(Refused(status, "failed", "text"))
            async with session.post(path, json=BODY) as response:
                assert (response.status, await response.json()) == (code, {"error": "text"})
                assert ("Retry-After" in response.headers) == (code == 503)
                assert response.headers["Server"] == "mvsam"

    served(act)


def test_a_fault_of_ours_names_nothing_of_our_insides():
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        await errands.answers.put(ValueError("in /opt/secret.py"))
        async with session.post(WHOLE, json=BODY) as response:
            assert response.status == 500 and (await response.json())["error"].startswith("internal error; ")
        for answer in (3, ValueError("in /opt/secret.py")):
            await errands.answers.put(answer)
        async with session.post(SCENES, json=BODY) as response:
            with pytest.raises(ClientPayloadError):  # not the end of an answer
                assert b"secret" not in await response.read()

    served(act)


@pytest.mark.parametrize("parts", [0, 1])
def test_who_hangs_up_stops_the_errand(parts: int):
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        if parts:
            await errands.answers.put(3)
            response = await session.post(SCENES, json=BODY)
            await line(response)
            response.close()
        else:
            asking = asyncio.create_task(session.post(SCENES, json=BODY))
            await errands.begun.wait()
            asking.cancel()
        await errands.stopped.wait()

    served(act)


def test_the_trace_is_passed_on_where_it_is_one():
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        for sent, passed in (
            ({"TraceParent": "00-ab-cd-01"}, [("traceparent", "00-ab-cd-01")]),
            ({"tracestate": "é"}, []),
        ):
            await errands.answers.put(3)
            async with session.post(WHOLE, json=BODY, headers=sent) as response:
                assert response.status == 200
            assert errands.trace == passed

    served(act)


def test_at_the_end_requests_get_their_time():
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        await inference.drain(30)  # nothing inside: at once
        asking = asyncio.create_task(session.post(WHOLE, json=BODY))
        await errands.begun.wait()
        draining = asyncio.create_task(inference.drain(30))
        await errands.answers.put(3)
        async with await asking as response:
            assert response.status == 200 and "outputs" in await response.json()
        await draining

    served(act)


@pytest.mark.parametrize("parts", [0, 1])
def test_requests_that_outlast_the_end_are_told_so(parts: int):
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        for _ in range(parts):
            await errands.answers.put(3)
        asking = asyncio.create_task(session.post(SCENES, json=BODY))
        await errands.begun.wait()
        if parts:
            response = await asking
            await line(response)
            await inference.drain(0.01)
            assert (await line(response))["error"].startswith("UNAVAILABLE: the service is stopping; ")
        else:
            await inference.drain(0.01)
            response = await asking
            assert response.status == 503 and "is stopping; " in (await response.json())["error"]
        response.close()
        await errands.stopped.wait()

    served(act)


async def raw(session: ClientSession, *data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection of its own, on which so much is sent and no more."""
    assert session._base_url is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", session._base_url.port)
    writer.write(b"".join(data))
    return reader, writer


def head(length: int, *headers: str) -> bytes:
    """Of a request whose body has so many bytes."""
    lines = [f"POST {WHOLE} HTTP/1.1", "Host: x", f"Content-Length: {length}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def test_a_body_has_its_room_before_it_is_read():
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        withheld = [await raw(session, head(200_000)) for _ in range(2)]
        while errands.in_flight.total < 400_000:
            await asyncio.sleep(0.001)
        reader, writer = await raw(session, head(200_000))
        assert b" 503 " in await reader.readline()
        writer.close()
        for _, writer in withheld:
            writer.close()
        while errands.in_flight.total:
            await asyncio.sleep(0.001)

    served(act)


def test_a_body_that_does_not_come_ends_its_request():
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        reader, writer = await raw(session, head(10), b"{")
        assert b" 408 " in await reader.readline()
        assert b"did not arrive in time; " in await reader.read() and errands.in_flight.total == 0
        writer.close()

    served(act, EntryLimits(receive_seconds=0.1))


def test_what_is_refused_by_its_headers_is_not_waited_for():
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        for sent, code in (
            (head(10, "Content-Encoding: gzip"), b" 400 "),
            (head(2**40), b" 400 "),
            (head(2**21), b" 400 "),
            (head(20, "Inference-Header-Content-Length: 30"), b" 400 "),
            (head(2**40, "Inference-Header-Content-Length: 10"), b" 400 "),
            (head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"), b" 400 "),
        ):
            reader, writer = await raw(session, sent)
            assert code in await reader.readline()
            writer.close()
        assert errands.admitted == 6, "and counts"

    served(act)


def test_who_does_not_read_is_hung_up_on():
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        body = json.dumps({"id": "x" * 200_000} | BODY).encode()
        lines = [f"POST {SCENES} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", "", ""]
        _, writer = await raw(session, "\r\n".join(lines).encode(), body)
        await errands.begun.wait()
        while not errands.stopped.is_set():
            if errands.answers.qsize() < 100:
                await errands.answers.put(1)
            await asyncio.sleep(0)
        writer.close()
        while errands.in_flight.total:
            await asyncio.sleep(0.001)

    served(act, EntryLimits(send_seconds=0.2))


def test_who_does_not_read_a_whole_answer_is_hung_up_on():
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        body = json.dumps(BODY | {"outputs": [{"name": "VIEW", "parameters": {"binary_data": True}}]}).encode()
        _, writer = await raw(session, head(len(body)), body)
        await errands.begun.wait()
        await errands.answers.put(bytes(2**25))  # more than lies between the two
        while errands.in_flight.total:
            await asyncio.sleep(0.001)
        writer.close()

    served(act, EntryLimits(send_seconds=0.2))


def test_connections_are_counted():
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        first, second, third = [await raw(session) for _ in range(3)]
        assert await first[0].read() == b"", "the oldest that has asked nothing"
        assert not any(reader.at_eof() for reader, _ in (second, third))
        for _, writer in (first, second, third):
            writer.close()

    served(act, EntryLimits(connections=2))


def test_connections_with_a_request_are_not_ended_for_newcomers():
    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        body = json.dumps(BODY | {"outputs": [{"name": "VIEW"}]}).encode()
        asking = await raw(session, head(len(body)), body)
        await errands.begun.wait()
        newcomer = await raw(session)
        assert await newcomer[0].read() == b""
        assert not asking[0].at_eof()
        for _, writer in (asking, newcomer):
            writer.close()

    served(act, EntryLimits(connections=1))


def test_half_a_header_is_no_request_for_ever(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http_errors, "HEADERS_WITHIN", 0.2)

    async def act(errands: Errands, inference: HttpInference, session: ClientSession) -> None:
        reader, writer = await raw(session, b"POST / HTTP/1.1\r\nX: ")
        assert await reader.read() == b""
        writer.close()

    served(act)
