"""What no method of gRPC has thought of: messages that cannot be read, and faults of ours."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from server.doorman import ANYBODY, Token
from server.grpc_admission import Admission
from server.incoming import Incoming
from server.limits import EntryLimits
from tests.unit.server.listening import listening

messages: Any = service_pb2
GARBAGE = b"\xff\xff no message"
SERVICE = "/inference.GRPCInferenceService/"


class Methods(service_pb2_grpc.GRPCInferenceServiceServicer):
    async def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        raise KeyError("/opt/secret.py")

    async def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802
        await context.abort(grpc.StatusCode.NOT_FOUND, "there is none")

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        return messages.ModelMetadataResponse(name=request.name)

    async def ModelStreamInfer(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:  # noqa: N802
        async for request in requests:
            if request is not None and request.id == "fail":
                raise KeyError("/opt/secret.py")
            yield messages.ModelStreamInferResponse(error_message="unread" if request is None else request.id)


class Everybody:
    """Errands, of which nothing is asked but to let in."""

    def admit(self, metadata: Any) -> Token:
        return ANYBODY


def asked(method: str, *data: bytes) -> tuple[str, str, list[str]]:
    """Status, text, and the parts of an answer."""

    async def ask() -> tuple[str, str, list[str]]:
        everybody: Any = Everybody()
        server = grpc.aio.server(interceptors=[Admission(everybody, EntryLimits(), Incoming(2**20))])
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Methods(), server)
        parts: list[str] = []
        try:
            async with (
                asyncio.timeout(60),
                listening(server) as address,
                grpc.aio.insecure_channel(address) as channel,
            ):
                if method == "ModelStreamInfer":
                    async for part in channel.stream_stream(SERVICE + method)(iter(data)):
                        parts.append(messages.ModelStreamInferResponse.FromString(part).error_message)
                else:
                    await channel.unary_unary(SERVICE + method)(data[0])
                return "OK", "", parts
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details() or "", parts

    return asyncio.run(ask())


def test_a_message_that_cannot_be_read_is_told_so(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    status, text, _ = asked("ModelMetadata", GARBAGE)
    assert status == "INVALID_ARGUMENT" and text.startswith("the message cannot be read; ")
    assert len(caplog.records) == 1 and not caplog.records[0].exc_info


def test_a_message_that_would_grow_is_not_read():
    many = b"\x2a\x00" * 2000  # inputs
    good = messages.ModelInferRequest(id="7").SerializeToString()
    assert asked("ModelStreamInfer", many, good) == ("OK", "", ["unread", "7"])
    long = messages.ModelMetadataRequest(name="x" * 2**17).SerializeToString()
    assert asked("ModelMetadata", long)[0] == "INVALID_ARGUMENT"


def test_a_stream_is_told_so_of_the_message_and_goes_on():
    good = messages.ModelInferRequest(id="7").SerializeToString()
    assert asked("ModelStreamInfer", good, GARBAGE, good) == ("OK", "", ["7", "unread", "7"])


def test_a_fault_of_ours_names_nothing_of_our_insides(caplog: pytest.LogCaptureFixture):
    fail = messages.ModelInferRequest(id="fail").SerializeToString()
    for method, data in (("ServerReady", b""), ("ModelStreamInfer", fail)):
        caplog.clear()
        assert asked(method, data) == ("INTERNAL", "internal error; the server's log says more", [])
        assert any("secret" in str(record.exc_info) for record in caplog.records), "the log says what it was"


def test_what_a_method_says_itself_is_passed_on():
    assert asked("ServerLive", b"")[:2] == ("NOT_FOUND", "there is none")
    assert asked("NoSuchMethod", b"")[0] == "UNIMPLEMENTED"
