"""Errors over gRPC that no method has thought of: in our words, where gRPC's own name Python's classes."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from server.field_counts import check_question, check_request
from server.texts import INTERNAL

logger = logging.getLogger(__name__)

INFERENCE = ("/ModelInfer", "/ModelStreamInfer")
UNREADABLE = "the message cannot be read; send the message of KServe v2 that this method takes"


class OwnWords(grpc.aio.ServerInterceptor):
    """Answers messages that cannot be read, and faults of ours, in a sentence.

    A stream is handed None for each message that cannot be read, so that the others are answered.
    """

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None:  # no such method: gRPC says so
            return None
        method, read = handler_call_details.method, handler.request_deserializer
        if handler.response_streaming:
            kind = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            answer = _in_parts(handler.stream_stream or handler.unary_stream, method)
        else:
            kind, answer = grpc.unary_unary_rpc_method_handler, _at_once(handler.unary_unary, method)
        return kind(answer, lambda data: _read(read, data, method), handler.response_serializer)


def _read(read: Callable[[bytes], Any], data: bytes, method: str) -> Any:
    try:
        (check_request if method.endswith(INFERENCE) else check_question)(data)
        return read(data)
    except Exception as error:
        logger.info("%s: a message of %d bytes cannot be read: %s", method, len(data), type(error).__name__)
        return None


@asynccontextmanager
async def _in_own_words(context: Any, method: str) -> AsyncIterator[None]:
    """Ends the call in our words where the block fails."""
    try:
        yield
    except grpc.aio.AbortError:
        raise
    except Exception:
        logger.exception("%s", method)
        await context.abort(grpc.StatusCode.INTERNAL, INTERNAL)


def _at_once(answer: Callable[[Any, Any], Awaitable[Any]], method: str) -> Callable[[Any, Any], Awaitable[Any]]:
    async def guarded(request: Any, context: Any) -> Any:
        if request is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, UNREADABLE)
        async with _in_own_words(context, method):
            return await answer(request, context)

    return guarded


def _in_parts(
    answer: Callable[[Any, Any], AsyncIterator[Any]], method: str
) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def guarded(requests: Any, context: Any) -> AsyncIterator[Any]:
        if requests is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, UNREADABLE)
        async with _in_own_words(context, method):
            async for part in answer(requests, context):
                yield part

    return guarded
