"""Admission over gRPC: a call's token and quota come before its message, which is not read of who has none.

gRPC itself holds what nobody has asked for: of a call that is refused here at most its first 64 KiB have arrived. Every
message that is read and every answer that is written passes here, and has its time.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import grpc

from server.doorman import Refused, Token
from server.errands import Errands
from server.grpc_errors import UNREADABLE, in_own_words, read_message
from server.incoming import VISITOR, Incoming
from server.limits import HANDSHAKE, EntryLimits, Shares
from server.peers import Address, acknowledged, address_of, connection_with, hang_up

logger = logging.getLogger(__name__)

EOF: Any = vars(grpc.aio)["EOF"]  # which its stubs do not tell of
PREFIX = "/inference.GRPCInferenceService/"
# For everybody, and answered without a look at the message.
WATCH = "/grpc.health.v1.Health/Watch"
OPEN = {f"{PREFIX}ServerLive", f"{PREFIX}ServerReady", "/grpc.health.v1.Health/Check", WATCH}
WATCHERS = 64  # calls that wait for news of the health, which end by themselves never
NOBODY = Token(VISITOR, "")  # who asks for one of these
CONNECTION_IDLE = 300.0  # seconds without a call
CALLS_OF_A_CONNECTION = 128
# Calls that nobody has looked at yet. Beyond a first number gRPC ends some by chance, whosever they are.
UNSEEN_CALLS = 16_384
LARGE = 2**20  # bytes of an answer
LOOK_EVERY = 0.02  # seconds, at what a client has taken of it
LATE = "the message did not arrive whole within {:g} s; send it faster, or in parts"


def options(limits: EntryLimits) -> list[tuple[str, int]]:
    """Returns gRPC's own limits, which hold before a call has a name."""
    return [
        ("grpc.max_receive_message_length", limits.message_bytes),  # of what is on the wire
        # No algorithm: gRPC would inflate whatever comes, of any size, before anybody is asked.
        ("grpc.compression_enabled_algorithms_bitset", 1),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        ("grpc.max_concurrent_streams", CALLS_OF_A_CONNECTION),
        ("grpc.server.max_pending_requests", UNSEEN_CALLS),
        ("grpc.server.max_pending_requests_hard_limit", UNSEEN_CALLS),
        ("grpc.max_connection_idle_ms", round(1000 * CONNECTION_IDLE)),
        ("grpc.server_handshake_timeout_ms", round(1000 * HANDSHAKE)),
    ]


class Admission(grpc.aio.ServerInterceptor):
    """Lets calls in, and ends in a sentence those whose message cannot be read, and those that fail by a fault of ours.

    A stream is handed None for each message that cannot be read, so that the others are answered.

    Args:
        errands: know whose a call is.
        limits: of calls and their time.
        incoming: is told what was read.
    """

    def __init__(self, errands: Errands, limits: EntryLimits, incoming: Incoming) -> None:
        self._errands, self._limits, self._incoming = errands, limits, incoming
        self._open = Shares(limits.calls, "calls are open", "calls")
        self._watching = Shares(2 * WATCHERS, "calls watch the health", "calls")
        self._writing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # by peer

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None:  # no such method: gRPC says so
            return None
        method = handler_call_details.method
        try:
            token = NOBODY if method in OPEN else self._errands.admit(handler_call_details.invocation_metadata)
        except Refused as error:
            refused = error

            async def refuse(requests: Any, context: Any) -> None:
                await context.abort(refused.status, str(refused))

            return grpc.stream_stream_rpc_method_handler(refuse)

        places = self._watching if method == WATCH else self._open if method not in OPEN else None

        async def answer(requests: Any, context: Any) -> None:
            try:
                if places:
                    places.take(token)
            except Refused as refused:
                await context.abort(refused.status, str(refused))
            try:
                self._incoming.called(address_of(context.peer()), token.name)
                async with in_own_words(context, method):
                    await self._answer(handler, method, context)
            finally:
                if places:
                    places.give(token)

        # Bytes, which are counted first and read then.
        return grpc.stream_stream_rpc_method_handler(answer, None, handler.response_serializer)

    async def _answer(self, handler: Any, method: str, context: Any) -> None:
        read = partial(read_message, handler.request_deserializer, method=method)
        if handler.request_streaming:
            given = self._messages(read, context)
        elif method not in OPEN:
            message = await self._message(read, context, self._limits.receive_seconds)
            given = None if message is EOF else message
            del message
            if given is None:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, UNREADABLE)
        else:
            given = ()
        if handler.response_streaming:
            answer = handler.stream_stream or handler.unary_stream
            async with aclosing(answer(given, context)) as parts:
                async for part in parts:
                    await self._write(part, context)
        else:
            await self._write(await handler.unary_unary(given, context), context)

    async def _messages(self, read: Callable[[bytes], Any], context: Any) -> AsyncIterator[Any]:
        while (message := await self._message(read, context, self._limits.idle_seconds)) is not EOF:
            yield message
            del message  # a stream that waits for the next keeps nothing of this one

    async def _message(self, read: Callable[[bytes], Any], context: Any, within: float) -> Any:
        """The next message, or EOF; its bytes are gone when it is there."""
        try:
            async with asyncio.timeout(within):
                data = await context.read()
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, LATE.format(within))
        if data is EOF:
            return EOF
        self._incoming.read(address_of(context.peer()), len(data))
        return read(data)

    async def _write(self, answer: Any, context: Any) -> None:
        """Hands an answer on; a large one is done when the client has it, one after the other on a connection."""
        size, peer = answer.ByteSize(), context.peer()
        if size < LARGE:
            await self._in_time(context.write(answer), peer)
            return
        async with self._writing.setdefault(peer, asyncio.Lock()):
            # Where the client's window is wide, gRPC takes all of it and keeps what TCP does not take.
            await self._in_time(self._written(answer, size, context, address_of(peer)), peer)

    async def _in_time(self, writing: Awaitable[None], peer: str) -> None:
        try:
            async with asyncio.timeout(self._limits.send_seconds):
                await writing
        except TimeoutError:
            logger.info("a client has not read its answer within %g s", self._limits.send_seconds)
            hang_up(address_of(peer))  # no status would reach it behind what it does not read
            raise asyncio.CancelledError from None

    async def _written(self, answer: Any, size: int, context: Any, address: Address | None) -> None:
        with connection_with(address) as connection:
            before = acknowledged(connection)
            await context.write(answer)
            while before is not None and (now := acknowledged(connection)) is not None and now < before + size - LARGE:
                await asyncio.sleep(LOOK_EVERY)
