"""Errors over gRPC that no method has thought of: in our words, where gRPC's own name Python's classes."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from server.field_counts import check_question, check_request
from server.texts import INTERNAL

logger = logging.getLogger(__name__)

INFERENCE = ("/ModelInfer", "/ModelStreamInfer")
UNREADABLE = "the message cannot be read; send the message of KServe v2 that this method takes"


def read_message(read: Callable[[bytes], Any], data: bytes, method: str) -> Any:
    """Reads what was sent to a method; None where it cannot be read, or would grow too large.

    Args:
        read: of protobuf.
        data: of one message.
        method: its whole name.
    """
    try:
        (check_request if method.endswith(INFERENCE) else check_question)(data)
        return read(data)
    except Exception as error:
        logger.info("%s: a message of %d bytes cannot be read: %s", method, len(data), type(error).__name__)
        return None


@asynccontextmanager
async def in_own_words(context: Any, method: str) -> AsyncIterator[None]:
    """Ends the call in our words where the block fails."""
    try:
        yield
    except grpc.aio.AbortError:
        raise
    except Exception:
        logger.exception("%s", method)
        await context.abort(grpc.StatusCode.INTERNAL, INTERNAL)
