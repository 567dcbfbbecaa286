"""Requests on their way, with a Triton that is not there, does not answer, or fails in gRPC's own words."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from server.doorman import ANYBODY, Doorman, Refused
from server.errands import Errands
from server.measures import Measures
from server.signatures import read_signatures
from server.texts import is_fit_for_clients
from tests.server.wire import files, good, request
from tests.unit.server.listening import listening

messages: Any = service_pb2
REPOSITORY = Path(__file__).parents[3] / "model_repository"
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

    def __init__(self, text: str | None, status: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        self._text, self._status = text, status

    async def _answer(self, request: Any, context: Any) -> Any:
        if self._text is None:
            await asyncio.Event().wait()
        await context.abort(self._status, self._text)

    async def ModelStreamInfer(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        async for _ in requests:
            yield messages.ModelStreamInferResponse(error_message=self._text)

    ServerMetadata = ModelMetadata = ModelConfig = ModelStatistics = ModelReady = ModelInfer = _answer


@asynccontextmanager
async def errands(address: str, is_ready: bool = True, within: float = 60.0) -> AsyncIterator[Errands]:
    doorman = Doorman(None)
    measures = Measures(lambda: is_ready, lambda: doorman.inside, {})
    signatures = read_signatures(REPOSITORY)
    made = Errands(address, lambda: is_ready, doorman, signatures, measures, described_within=within)
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def triton(text: str | None, status: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> AsyncIterator[str]:
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Triton(text, status), server)
    async with listening(server) as address:
        yield address


async def asked(errands: Errands, method: str, message: Any) -> Any:
    if method in ("ModelInfer", "ModelStreamInfer"):
        copy = messages.ModelInferRequest()
        copy.CopyFrom(message)
        return [answer async for answer in errands.run(copy, ANYBODY)]
    if method == "ModelStatistics":
        return await errands.introspection.statistics(message)
    return await errands.introspection.described(method, message)


async def assert_refused(errands: Errands, method: str, message: Any) -> None:
    with pytest.raises(Refused, match="try again in a few seconds") as refused:
        await asked(errands, method, message)
    text = str(refused.value)
    assert refused.value.status is grpc.StatusCode.UNAVAILABLE
    assert is_fit_for_clients(text) and "127." not in text and "ipv4" not in text, text
    assert not await errands.introspection.is_model_ready("mvsam")


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


ENCODE = request("mvsam_scene", {"ACTION": files(b"encode"), "IMAGES": good("mvsam")["IMAGES"]}, ("SCENE",))
TRITONS = "[request id: 7] expected number of inputs between 4 and 12 but got 1 inputs for model 'mvsam'"
ANSWERS = [*QUESTIONS, ("ModelStreamInfer", ENCODE)]


@pytest.mark.parametrize(("method", "message"), ANSWERS)
@pytest.mark.parametrize("status", [status for status in grpc.StatusCode if status is not grpc.StatusCode.OK])
def test_tritons_own_sentences_are_not_passed_on_whatever_their_status(
    method: str, message: Any, status: grpc.StatusCode, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")

    async def act() -> None:
        async with triton(TRITONS, status) as address, errands(address) as made:
            with pytest.raises(Refused) as refused:
                await asked(made, method, message)
        text, told = str(refused.value), refused.value.status.name
        assert "expected" not in text and "; " in text, text
        assert told in ("INVALID_ARGUMENT", "UNAVAILABLE", "INTERNAL")
        assert TRITONS in caplog.text, "the log says what it was"

    within_a_minute(act)


@pytest.mark.parametrize(("method", "message"), [QUESTIONS[-1], ("ModelStreamInfer", ENCODE)])
@pytest.mark.parametrize("status", ["INVALID_ARGUMENT", "NOT_FOUND", "UNAVAILABLE", "INTERNAL"])
def test_our_models_sentences_are_with_their_status(method: str, message: Any, status: str):
    async def act() -> None:
        text = f"[request id: 7] in ensemble 'mvsam', {status}: VIEWS names view 9 of 2; give 0 to 1"
        async with triton(text, grpc.StatusCode[status]) as address, errands(address) as made:
            with pytest.raises(Refused) as refused:
                await asked(made, method, message)
        assert refused.value.status.name == status
        assert str(refused.value) == "VIEWS names view 9 of 2; give 0 to 1"

    within_a_minute(act)


@pytest.mark.parametrize("version", ["9", "../1"])
def test_a_version_of_no_model_is_refused_before_triton_is_asked(version: str):
    async def act() -> None:
        async with triton(None) as address, errands(address) as made:
            with pytest.raises(Refused, match="the request names a version and no model; name both, or neither") as no:
                await made.introspection.statistics(messages.ModelStatisticsRequest(version=version))
            assert no.value.status is grpc.StatusCode.INVALID_ARGUMENT

    within_a_minute(act)


@pytest.mark.parametrize("method", ["ModelMetadata", "ModelConfig", "ModelStatistics"])
def test_another_version_is_not_found_before_triton_is_asked(method: str):
    async def act() -> None:
        async with triton(None) as address, errands(address) as made:
            asking = getattr(messages, f"{method}Request")(name="mvsam", version="9")
            with pytest.raises(Refused, match="mvsam has no version '9'; name none, or 1") as refused:
                await asked(made, method, asking)
            assert refused.value.status is grpc.StatusCode.NOT_FOUND
            assert not await made.introspection.is_model_ready("mvsam", "9")

    within_a_minute(act)


@pytest.mark.parametrize(("method", "message"), [QUESTIONS[-1], ("ModelStreamInfer", ENCODE)])
def test_full_shared_memory_is_told_without_names_of_segments(method: str, message: Any):
    async def act() -> None:
        text = "Failed to increase the shared memory pool size for key 'mvsam_7_0123abcd_9f' to 4096 bytes. If you are"
        async with triton(text, grpc.StatusCode.INTERNAL) as address, errands(address) as made:
            with pytest.raises(Refused, match=r"too little shared memory.*fewer or smaller photographs") as refused:
                await asked(made, method, message)
        assert refused.value.status is grpc.StatusCode.UNAVAILABLE
        assert "mvsam_7" not in str(refused.value)

    within_a_minute(act)
