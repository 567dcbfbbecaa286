"""Requests on their way through Triton, however they came in.

Each is an errand that is run to its end, whether its client still waits or not: this release of Triton leaks a request
whose call is cancelled at the wrong moment. A scene's errand is told to stop instead, and ends soon by itself.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from mvsam.runtime.ownership import OWNER
from server.doorman import Doorman, Refused, Token
from server.errand import ACTIONS, SCENES, Errand, Metadata, described_by, is_answered_at_length
from server.introspection import DESCRIBED_WITHIN, Introspection
from server.limits import MEBIBYTE, EntryLimits, Shares
from server.measures import Measures
from server.parameters import check_parameters
from server.shared_memory import refusal_where_full
from server.signatures import Signature
from server.tensors import check_tensors
from server.texts import LOST, NOT_READY, instead_of_tritons, is_loss, own_words
from server.turns import Turns

logger = logging.getLogger(__name__)
messages: Any = service_pb2

LIMITS = EntryLimits()
UNREAD = "more answers wait to be read than there is room for; read them as they come, or ask for RLE masks"
LONG, COPIES = 2**20, 3  # bytes of an answer from where on its copies count: as it came, as it is read, as it is sent
LONG_ANSWERS = 1  # of clicks, tens of megabytes, that are made at once
LONG_WITHIN = 10.0  # seconds that one waits for it
LATER = "raw masks are being made for others; ask for RLE or PNG masks, or try again in a few seconds"
LONGEST_ID = 256  # characters: each part of an answer repeats it
CHANNEL = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
]
# A Triton that is started anew is on this machine and soon back; gRPC's own pauses between tries grow to minutes.
RECONNECTING = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 100)]
TRACE = ("traceparent", "tracestate")  # W3C's names of what makes a request part of a trace


class Errands:
    """All of them; lives in one event loop.

    Args:
        triton: address of Triton's gRPC endpoint.
        is_ready: whether every model answers.
        doorman: lets requests in.
        signatures: of the models for clients, by name.
        measures: counts them.
        described_within: seconds that Triton has to say what it serves.
        limits: of what is in flight.

    Attributes:
        introspection: what the service tells of itself.
    """

    def __init__(
        self,
        triton: str,
        is_ready: Callable[[], bool],
        doorman: Doorman,
        signatures: Mapping[str, Signature],
        measures: Measures,
        described_within: float = DESCRIBED_WITHIN,
        limits: EntryLimits = LIMITS,
    ) -> None:
        self._channel = grpc.aio.insecure_channel(triton, options=[*CHANNEL, *RECONNECTING])
        self._triton: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._is_ready, self._doorman, self._signatures, self._measures = is_ready, doorman, signatures, measures
        self.introspection = Introspection(self._triton, is_ready, doorman, signatures, described_within)
        self._turns, self._long_answers = Turns(limits.one_shots), Turns(LONG_ANSWERS)
        self._in_flight = Shares(limits.in_flight_mib * MEBIBYTE, "bytes of requests and answers are here", "bytes")
        self._running: dict[Errand, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()

    @property
    def is_connected(self) -> bool:
        """Whether a request would reach Triton, as far as the last try to connect has shown; tries again if not."""
        return self._channel.get_state(try_to_connect=True) is not grpc.ChannelConnectivity.TRANSIENT_FAILURE

    async def run(self, request: Any, token: Token, trace: Metadata = ()) -> AsyncGenerator[Any, None]:
        """The responses to one request.

        Args:
            request: ModelInferRequest of KServe v2.
            token: whose it is.
            trace: the metadata that make it part of a trace.

        Raises:
            Refused: it was not let in, or failed.
        """
        own_id, request.id = request.id, uuid.uuid4().hex
        told = self._told(request, token) | {"client_request": own_id[:64]} | described_by(request)
        errand = Errand(request, token, trace, told)
        self._running[errand] = asyncio.create_task(self._serve(errand, own_id))
        finished = False
        try:
            while (answer := await errand.answers.get()) is not None:
                if isinstance(answer, Refused):
                    finished = True
                    raise answer
                size = _memory_of(answer)
                answer.id = own_id
                yield answer
                self._taken(errand, size)
            finished = True
        finally:
            errand.is_left = True
            if errand.turn is not None:
                errand.turn.cancel()
            self._taken(errand, errand.unread)
            if errand in self._running:  # its request lives on, though the client's call does not
                errand.held = request.ByteSize()
                self._in_flight.keep(token, errand.held)
            if not finished and request.model_name == SCENES:
                self._start(self._stop(request.id))

    async def close(self) -> None:
        """Ends the connection to Triton."""
        await self._channel.close()

    def identified(self, metadata: Metadata) -> Token:
        """Whose a request is.

        Raises:
            Refused: nobody's that is known.
        """
        try:
            return self._doorman.identified(metadata)
        except Refused as refused:
            raise self.counted(refused) from None

    def admit(self, metadata: Metadata) -> Token:
        """Whose a request is, counted against its quota.

        Raises:
            Refused: nobody's that is known, or more than its token may have.
        """
        token = self.identified(metadata)
        self.spend(token)
        return token

    def spend(self, token: Token) -> None:
        """Counts one more request against a token's quota.

        Raises:
            Refused: it is used up.
        """
        try:
            self._doorman.spend(token)
        except Refused as refused:
            raise self.counted(refused) from None

    @contextmanager
    def holding(self, token: Token, size: int) -> Iterator[None]:
        """Counts the bytes of a request among those in flight, for the time of the block.

        Raises:
            Refused: there are too many already.
        """
        try:
            self._in_flight.take(token, size)
        except Refused as refused:
            raise self.counted(refused) from None
        try:
            yield
        finally:
            self._in_flight.give(token, size)

    def hold_until_done(self, answer: Any, token: Token, context: Any) -> None:
        """Counts an answer's bytes among those in flight until its call of gRPC has ended.

        Raises:
            Refused: there are too many already.
        """
        size = _memory_of(answer)
        try:
            self._in_flight.take(token, size)
        except Refused:
            raise self.counted(Refused(grpc.StatusCode.UNAVAILABLE, "unread", UNREAD)) from None
        context.add_done_callback(lambda _: self._in_flight.give(token, size))

    def counted(self, refused: Refused) -> Refused:
        """One that is not of `run`."""
        self._measures.rejections.labels(refused.reason).inc()
        return refused

    def unread(self, model: str, token: Token, refused: Refused) -> Refused:
        """One of a request that could not be read, counted and logged as if it had come in."""
        request = messages.ModelInferRequest(model_name=model, id=uuid.uuid4().hex)
        self._finish(Errand(request, token, (), self._told(request, token)), refused)
        return refused

    def abandon(self, model: str) -> None:
        """Ends what waits for a model whose process was lost."""
        for errand in [each for each in self._running if each.request.model_name == model]:
            errand.is_lost = True
            for waiting in (errand.call, errand.turn):
                if waiting is not None:
                    waiting.cancel()

    async def _serve(self, errand: Errand, own_id: str) -> None:
        model = errand.request.model_name
        refused: Refused | None = None
        try:
            self._doorman.check_public(model)
            if not self._is_ready():
                raise Refused(grpc.StatusCode.UNAVAILABLE, "not ready", NOT_READY)
            if len(own_id) > LONGEST_ID:
                text = f"the request's id has {len(own_id)} characters; use at most {LONGEST_ID}"
                raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "id", text)
            check_tensors(errand.request)
            check_parameters(errand.request)
            self._signatures[model].check(errand.request)
            if model == SCENES and errand.told.get("action") not in ACTIONS:
                raise Refused(
                    grpc.StatusCode.INVALID_ARGUMENT, "action", f"ACTION is unknown; give one of {', '.join(ACTIONS)}"
                )
            if model == SCENES:
                errand.request.parameters[OWNER].string_param = errand.token.name
            with self._doorman.admitted(errand.token, model):
                if model != SCENES:
                    await self._ask_in_turn(errand, self._turns)
                elif errand.told["action"] == "segment" and is_answered_at_length(errand.request):
                    await self._ask_in_turn(errand, self._long_answers)
                else:
                    await self._ask(errand)
        except Refused as error:
            refused = error
        except Exception:
            logger.exception("request %s", errand.request.id)
            status, text = instead_of_tritons("INTERNAL", errand.request.id)
            refused = Refused(grpc.StatusCode[status], "failed", text)
        finally:
            del self._running[errand]
            self._in_flight.give(errand.token, errand.held)
            self._finish(errand, refused)

    async def _ask_in_turn(self, errand: Errand, turns: Turns) -> None:
        """Asks as `_ask` does, in turn; what has begun is done to its end, what nobody waits for does not begin."""
        async with AsyncExitStack() as stack:
            waiting = asyncio.ensure_future(stack.enter_async_context(turns.turn(errand.token.name)))
            errand.turn = waiting
            await asyncio.wait({waiting}, timeout=LONG_WITHIN if turns is self._long_answers else None)
            if not waiting.done():
                waiting.cancel()
                raise Refused(grpc.StatusCode.UNAVAILABLE, "long", LATER)
            if errand.is_lost:
                raise Refused(grpc.StatusCode.UNAVAILABLE, "lost", LOST)
            if errand.is_left:
                raise Refused(grpc.StatusCode.CANCELLED, "left", "the client had gone before this was begun")
            await self._ask(errand)

    async def _ask(self, errand: Errand) -> None:
        """Triton's answer, part by part.

        Raises:
            Refused: it is an error.
        """
        request = errand.request
        try:
            if request.model_name == SCENES:
                errand.call = self._triton.ModelStreamInfer(_only(request), metadata=errand.trace)
                async for part in errand.call:
                    if part.error_message:
                        raise self._failure(errand, "INTERNAL", part.error_message)
                    self._pass_on(errand, part.infer_response)
            else:
                errand.call = self._triton.ModelInfer(request, metadata=errand.trace)
                self._pass_on(errand, await errand.call)
            if errand.overflow:
                raise errand.overflow
        except grpc.aio.AioRpcError as error:
            if errand.is_lost:
                raise Refused(grpc.StatusCode.UNAVAILABLE, "lost", LOST) from None
            raise self._failure(errand, error.code().name, error.details() or "") from None
        except asyncio.CancelledError:
            raise Refused(grpc.StatusCode.UNAVAILABLE, "lost", LOST) from None

    def _told(self, request: Any, token: Token) -> dict[str, Any]:
        """What the log is told of every request."""
        model = request.model_name if request.model_name in self._doorman.inside else "unknown"
        return {"request": request.id, "client": token.name, "model": model}

    def _pass_on(self, errand: Errand, response: Any) -> None:
        if not errand.parts:
            self._measures.first.labels(*errand.labels).observe(time.monotonic() - errand.started)
        errand.parts += 1
        if errand.is_left or errand.overflow:
            return
        size = _memory_of(response)
        try:
            self._in_flight.take(errand.token, size)
        except Refused:
            errand.overflow = Refused(grpc.StatusCode.UNAVAILABLE, "unread", UNREAD)
            if errand.request.model_name == SCENES:
                self._start(self._stop(errand.request.id))
            return
        errand.unread += size
        errand.answers.put_nowait(response)

    def _taken(self, errand: Errand, size: int) -> None:
        errand.unread -= size
        self._in_flight.give(errand.token, size)

    def _failure(self, errand: Errand, status: str, text: str) -> Refused:
        """Returns what a client is told of an error that has come from Triton."""
        if full := refusal_where_full(text):
            return full
        if own := own_words(text):
            return Refused(grpc.StatusCode[own[0]], "failed", own[1])
        if is_loss(status, text):
            logger.warning("request %s: %s: %s", errand.request.id, status, text)
            return Refused(grpc.StatusCode.UNAVAILABLE, "lost", LOST)
        logger.error("request %s: %s: %s", errand.request.id, status, text)
        self._measures.replaced.inc()
        status, text = instead_of_tritons(status, errand.request.id)
        return Refused(grpc.StatusCode[status], "failed", text)

    def _finish(self, errand: Errand, refused: Refused | None) -> None:
        # Its traceback would keep what came last alive, for as long as the client does not read that it is refused.
        errand.answers.put_nowait(refused and refused.with_traceback(None))
        if "views" in errand.told and not refused:
            self._measures.views.labels(errand.told["model"]).observe(errand.told["views"])
        seconds = time.monotonic() - errand.started
        status = refused.status.name if refused else "OK"
        self._measures.requests.labels(*errand.labels, status).inc()
        if refused:
            self._measures.rejections.labels(refused.reason).inc()
        else:
            self._measures.seconds.labels(*errand.labels).observe(seconds)
        told = errand.told | {"status": status, "parts": errand.parts, "seconds": round(seconds, 4)}
        logger.info("%s", json.dumps(told | ({"reason": refused.reason} if refused else {})))

    async def _stop(self, request_id: str) -> None:
        """Tells the model that nobody waits for a request any more."""
        request = messages.ModelInferRequest(model_name=SCENES)
        for name, text in (("ACTION", "cancel"), ("REQUEST", request_id)):
            request.inputs.add(name=name, datatype="BYTES", shape=[1])
            request.raw_input_contents.append(len(text).to_bytes(4, "little") + text.encode())
        try:
            async for _ in self._triton.ModelStreamInfer(_only(request)):
                pass
        except grpc.aio.AioRpcError as error:
            logger.info("request %s could not be stopped: %s", request_id, error.details())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._others.add(task)  # the loop itself keeps none
        task.add_done_callback(self._others.discard)


def _memory_of(answer: Any) -> int:
    """Bytes that an answer takes until it is read; of a long one there are several copies."""
    size = answer.ByteSize()
    return size if size < LONG else COPIES * size


async def _only(request: Any) -> AsyncIterator[Any]:
    yield request
