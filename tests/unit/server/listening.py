"""gRPC servers of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc


@asynccontextmanager
async def listening(server: grpc.aio.Server) -> AsyncIterator[str]:
    """Starts a server on a port of its own, gives its address, and stops it."""
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)
