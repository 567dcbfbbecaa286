"""What gRPC clients may take before and after their token, with gRPC's own client and server."""

import asyncio
import os
import socket
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from server.doorman import ANYBODY, Refused, Token
from server.entry import OPTIONS, Entry
from server.grpc_admission import EOF, WATCHERS, Admission, options
from server.incoming import Incoming
from server.limits import EntryLimits
from server.peers import Address, acknowledged, address_of, connection_with, hang_up
from tests.unit.server.listening import listening
from tests.waiting import PATIENCE

messages: Any = service_pb2
health: Any = health_pb2
LIMITS = EntryLimits(message_mib=1, calls=4)
TOKEN = [("authorization", "Bearer right")]
MEBIBYTE = 2**20


class Errands:
    """Knows one token, and how many requests it has left."""

    def __init__(self) -> None:
        self.left = 100

    def admit(self, metadata: Any) -> Token:
        if ("authorization", "Bearer right") not in [tuple(entry) for entry in metadata]:
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, "token", "no valid token")
        self.left -= 1
        if self.left < 0:
            raise Refused(grpc.StatusCode.UNAVAILABLE, "quota", "too many requests a minute")
        return ANYBODY


class Methods(service_pb2_grpc.GRPCInferenceServiceServicer, health_pb2_grpc.HealthServicer):
    """Answers with what it has read, or with more than a client takes."""

    def __init__(self) -> None:
        self.read: list[Any] = []
        self.ended = asyncio.Event()

    async def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802
        return messages.ServerLiveResponse(live=True)

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.read.append(request)
        long = [bytes(40 * MEBIBYTE)] if request.id == "long" else []
        return messages.ModelInferResponse(id=request.id, raw_output_contents=long)

    async def ModelStreamInfer(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:  # noqa: N802
        try:
            async for request in requests:
                self.read.append(request)
                response = messages.ModelInferResponse(id=request.id)
                while request.id == "flood":
                    response.raw_output_contents[:] = [bytes(MEBIBYTE)]
                    yield messages.ModelStreamInferResponse(infer_response=response)
                yield messages.ModelStreamInferResponse(infer_response=response)
        finally:
            self.ended.set()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        return health.HealthCheckResponse(status=health.HealthCheckResponse.SERVING)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        yield health.HealthCheckResponse(status=health.HealthCheckResponse.SERVING)
        await asyncio.Event().wait()


Act = Callable[[Any, Methods, str], Awaitable[None]]


def served(act: Act, limits: EntryLimits = LIMITS, errands: Any = None, incoming: Any = None, **channel: Any) -> None:
    @asynccontextmanager
    async def serving() -> AsyncIterator[tuple[str, Methods]]:
        given: Any = errands or Errands()
        interceptors = [Admission(given, limits, incoming or Incoming(MEBIBYTE))]
        server = grpc.aio.server(interceptors=interceptors, options=[*OPTIONS, *options(limits)])
        methods = Methods()
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(methods, server)
        health_pb2_grpc.add_HealthServicer_to_server(methods, server)
        async with listening(server) as address:
            yield address, methods

    async def limited() -> None:
        given = {"options": [("grpc.enable_http_proxy", 0)], **channel}
        async with (
            asyncio.timeout(60),
            serving() as (address, methods),
            grpc.aio.insecure_channel(address, **given) as made,
        ):
            await act(made, methods, address)

    asyncio.run(limited())


def stub(channel: Any) -> Any:
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)


def health_stub(channel: Any) -> Any:
    return health_pb2_grpc.HealthStub(channel)


def status(error: pytest.ExceptionInfo[Any]) -> str:
    return error.value.code().name


def infer(size: int) -> Any:
    return messages.ModelInferRequest(raw_input_contents=[bytes(size)])


@pytest.mark.parametrize("algorithm", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_what_is_compressed_is_refused_and_never_inflated(algorithm: grpc.Compression):
    async def act(channel: Any, methods: Methods, address: str) -> None:
        for metadata in ([], TOKEN):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub(channel).ModelInfer(infer(16 * MEBIBYTE), metadata=metadata)  # on the wire 16 KiB
            assert status(refused) == "UNIMPLEMENTED" and methods.read == []

    served(act, compression=algorithm)


def test_without_a_token_no_message_is_read():
    async def act(channel: Any, methods: Methods, address: str) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub(channel).ModelInfer(infer(MEBIBYTE // 2), metadata=[])
        assert status(refused) == "UNAUTHENTICATED" and methods.read == []
        stream = stub(channel).ModelStreamInfer()  # that sends nothing, and does not end
        assert await stream.code() is grpc.StatusCode.UNAUTHENTICATED and methods.read == []

    served(act)


def test_health_needs_no_token_and_is_told_whatever_is_sent_with_the_question():
    async def act(channel: Any, methods: Methods, address: str) -> None:
        assert (await stub(channel).ServerLive(messages.ServerLiveRequest())).live
        checked = health_stub(channel)
        for service in ("", "x" * 2 * MEBIBYTE):
            asked = health.HealthCheckRequest(service=service)
            assert (await checked.Check(asked)).status == health.HealthCheckResponse.SERVING

    served(act)


def test_a_request_that_is_refused_for_its_size_has_cost_its_quota():
    errands = Errands()

    async def act(channel: Any, methods: Methods, address: str) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub(channel).ModelInfer(infer(2 * MEBIBYTE), metadata=TOKEN)
        assert status(refused) == "RESOURCE_EXHAUSTED" and methods.read == [] and errands.left == 99
        for _ in range(100):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")(b"\xff", metadata=TOKEN)
        assert status(refused) == "UNAVAILABLE" and "a minute" in str(refused.value.details())

    served(act, errands=errands)


def test_a_message_that_does_not_come_ends_its_call():
    async def act(channel: Any, methods: Methods, address: str) -> None:
        for method, within in (("ModelInfer", "0.1 s"), ("ModelStreamInfer", "0.2 s")):
            call = channel.stream_stream(f"/inference.GRPCInferenceService/{method}")(metadata=TOKEN)
            assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert f"did not arrive whole within {within}; " in await call.details()

    served(act, EntryLimits(receive_seconds=0.1, idle_seconds=0.2))


def test_a_stream_that_asked_nothing_for_too_long_gives_its_place_back():
    class Asked(Errands):
        def identified(self, metadata: Any) -> Token:
            return ANYBODY

    async def act() -> None:
        errands: Any = Asked()
        admission = Admission(errands, EntryLimits(calls=1, idle_seconds=0.05), Incoming(MEBIBYTE))
        server = grpc.aio.server(interceptors=[admission])
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Entry(errands, lambda: True), server)
        direct = [("grpc.enable_http_proxy", 0)]
        async with listening(server) as address, grpc.aio.insecure_channel(address, options=direct) as channel:
            for _ in range(3):  # there is one place
                stream = stub(channel).ModelStreamInfer(metadata=TOKEN)
                with pytest.raises(grpc.aio.AioRpcError) as ended:
                    await stream.read()
                assert status(ended) == "DEADLINE_EXCEEDED"
                while admission._open.total:
                    await asyncio.sleep(0.001)

    async def limited() -> None:
        async with asyncio.timeout(20):
            await act()

    asyncio.run(limited())


def test_who_watches_the_health_takes_no_place_of_clients():
    async def act(channel: Any, methods: Methods, address: str) -> None:
        watching = [health_stub(channel).Watch(health.HealthCheckRequest()) for _ in range(WATCHERS)]
        for each in watching:
            await each.read()
        one_more = health_stub(channel).Watch(health.HealthCheckRequest())
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await one_more.read()
        assert status(refused) == "UNAVAILABLE"
        assert (await health_stub(channel).Check(health.HealthCheckRequest())).status
        assert (await stub(channel).ModelInfer(infer(1), metadata=TOKEN)).id == infer(1).id
        for each in watching:
            each.cancel()

    served(act)


def test_looking_at_a_connection_leaves_it_as_it_is():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
        accepted.setblocking(False)
        with connection_with(address_of("ipv4:{}:{}".format(*client.getsockname()))) as found:
            assert found is not None
            accepted.sendall(bytes(100))
            client.recv(100, socket.MSG_WAITALL)
            while acknowledged(found) != 100:
                pass
        assert not os.get_blocking(accepted.fileno()), "or gRPC would wait in a write"
        client.close()
        accepted.close()


def test_long_answers_reach_who_reads_them():
    async def act(channel: Any, methods: Methods, address: str) -> None:
        for _ in range(3):
            answer = await stub(channel).ModelInfer(messages.ModelInferRequest(id="long"), metadata=TOKEN)
            assert len(answer.raw_output_contents[0]) == 40 * MEBIBYTE

    served(act, options=[("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0)])


def test_who_does_not_read_is_hung_up_on():
    async def act(channel: Any, methods: Methods, address: str) -> None:
        stream = stub(channel).ModelStreamInfer(metadata=TOKEN)
        await stream.write(messages.ModelInferRequest(id="flood"))
        await methods.ended.wait()
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            while True:
                assert await stream.read() is not EOF
        assert status(ended) == "UNAVAILABLE"
        async with grpc.aio.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as another:
            assert (await stub(another).ServerLive(messages.ServerLiveRequest())).live

    served(act, EntryLimits(send_seconds=0.2))


def test_a_stream_that_waits_keeps_no_message():
    class Message:
        def __init__(self, data: bytes) -> None:
            self.data = data

    class Context:
        def __init__(self) -> None:
            self.left, self.asked = [b"first"], asyncio.Event()

        def peer(self) -> str:
            return "unix:"

        async def read(self) -> Any:
            if self.left:
                return self.left.pop()
            self.asked.set()
            await asyncio.Event().wait()

    async def act() -> None:
        context, errands = Context(), Errands()
        admission = Admission(cast(Any, errands), LIMITS, Incoming(MEBIBYTE))
        given = admission._messages(Message, context)
        message = await anext(given)
        kept = weakref.ref(message)
        del message
        waiting = asyncio.ensure_future(anext(given))
        await context.asked.wait()
        assert kept() is None
        waiting.cancel()

    asyncio.run(act())


def test_who_asks_and_what_was_read_is_told():
    class Told:
        def called(self, address: Address, owner: str) -> None:
            told.append((str(address[0]), owner))

        def read(self, address: Address, size: int) -> None:
            told.append((str(address[0]), size))

    async def act(channel: Any, methods: Methods, address: str) -> None:
        await stub(channel).ServerLive(messages.ServerLiveRequest())
        await stub(channel).ModelInfer(infer(1000), metadata=TOKEN)

    told: list[tuple[str, Any]] = []
    served(act, incoming=Told())
    assert told == [("127.0.0.1", "visitor"), ("127.0.0.1", "anybody"), ("127.0.0.1", infer(1000).ByteSize())]


def test_calls_are_counted_and_give_their_places_back():
    async def act(channel: Any, methods: Methods, address: str) -> None:
        streams = [stub(channel).ModelStreamInfer(metadata=TOKEN) for _ in range(4)]
        for stream in streams:
            await stream.write(messages.ModelInferRequest(id="7"))
            assert (await stream.read()).infer_response.id == "7"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub(channel).ModelInfer(infer(0), metadata=TOKEN)
        assert status(refused) == "UNAVAILABLE" and "too many calls are open already" in str(refused.value.details())
        streams[0].cancel()
        await methods.ended.wait()
        await asyncio.sleep(0)  # the servicer's end is the call's
        assert await stub(channel).ModelInfer(infer(0), metadata=TOKEN) is not None

    served(act)


def test_connections_are_counted():
    async def act(channel: Any, methods: Methods, address: str) -> None:
        await stub(channel).ServerLive(messages.ServerLiveRequest())
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        with suppress(ConnectionResetError):
            assert await reader.read() == b""  # ended, where others are greeted
        writer.close()
        await stub(channel).ServerLive(messages.ServerLiveRequest())

    served(act, EntryLimits(connections=1))


def test_only_the_peer_that_is_meant_is_hung_up_on():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        pairs = []
        for _ in range(2):
            client = socket.create_connection(listening.getsockname())
            pairs.append((client, listening.accept()[0]))
        host, port = pairs[0][0].getsockname()
        hang_up(address_of(f"ipv4:{host}:{port}"))
        assert pairs[0][0].recv(1) == b""
        pairs[1][1].sendall(b"x")
        assert pairs[1][0].recv(1) == b"x"
        hang_up(address_of("unix:"))
        for pair in pairs:
            for each in pair:
                each.close()


def test_the_time_of_an_answer_begins_when_those_before_it_are_read(monkeypatch: pytest.MonkeyPatch):
    began: list[float] = []
    timeout = asyncio.timeout

    def counted(seconds: float) -> asyncio.Timeout:
        began.append(seconds)
        return timeout(seconds)

    class Context:
        """Stands in for one call; all are of one connection."""

        def __init__(self) -> None:
            self.begun, self.go_on = asyncio.Event(), asyncio.Event()

        def peer(self) -> str:
            return "unix:"

        async def write(self, answer: Any) -> None:
            self.begun.set()
            await self.go_on.wait()

    async def act() -> None:
        nothing: Any = None
        admission = Admission(nothing, EntryLimits(send_seconds=PATIENCE), nothing)
        long = messages.ModelInferResponse(raw_output_contents=[bytes(2 * MEBIBYTE)])
        first, second = Context(), Context()
        writing = [asyncio.create_task(admission._write(long, each)) for each in (first, second)]
        await first.begun.wait()
        assert len(began) == 1
        first.go_on.set()
        await second.begun.wait()
        assert len(began) == 2
        second.go_on.set()
        await asyncio.gather(*writing)

    monkeypatch.setattr(asyncio, "timeout", counted)
    asyncio.run(act())
