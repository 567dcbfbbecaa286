"""As `connection`, for asyncio."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import grpc
import grpc.aio
import numpy as np
from tritonclient.grpc import service_pb2_grpc

from mvsam_client.connection import Tls, credentials_of
from mvsam_client.errors import InvalidRequestError
from mvsam_client.wire import (
    CLOSED,
    StreamReader,
    Tensors,
    channel_options,
    messages,
    metadata_of,
    request,
    tensors,
    translated,
)

Made = TypeVar("Made")


class PerLoop(Generic[Made]):
    """Holds what belongs to an event loop, made anew in each: `asyncio.run` begins another every time.

    Args:
        make: called in the loop.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._made: dict[asyncio.AbstractEventLoop, Made] = {}

    def get(self) -> Made:
        """Returns that of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._made:
            self._made = {each: made for each, made in self._made.items() if not each.is_closed()}
            self._made[loop] = self._make()
        return self._made[loop]

    def take(self) -> Made | None:
        """Returns what `get` would, to be closed by the caller, or None; drops those of other loops."""
        made = self._made.pop(asyncio.get_running_loop(), None)
        self._made.clear()
        return made


class AsyncConnection:
    """A gRPC channel in every event loop that uses it.

    Args:
        url: HOST:PORT.
        token: sent with every request, where the server asks for one.
        tls: None for a plain connection.

    Attributes:
        has_answered: whether the server ever has, be it with an error.
    """

    def __init__(self, url: str, token: str | None = None, tls: Tls | None = None) -> None:
        self.url, self.has_answered, self._is_closed = url, False, False
        self._metadata = metadata_of(token)
        self._credentials = credentials_of(tls)
        self._channels = PerLoop(self._channel)

    async def close(self) -> None:
        """Ends it."""
        self._is_closed = True
        if channel := self._channels.take():
            await channel.close()

    async def metadata(self, timeout: float) -> Any:
        """Name and version of the server."""
        with translated(self.url):
            asked = messages.ServerMetadataRequest()
            return await self._stub().ServerMetadata(asked, timeout=timeout, metadata=self._metadata)

    async def is_live(self, timeout: float) -> bool:
        """Whether it says so itself."""
        with translated(self.url):
            asked = messages.ServerLiveRequest()
            is_live = (await self._stub().ServerLive(asked, timeout=timeout, metadata=self._metadata)).live
        self.has_answered = True
        return is_live

    async def infer(
        self, model: str, inputs: Mapping[str, np.ndarray], outputs: Iterable[str], timeout: float
    ) -> Tensors:
        """One answer; to cancel the task cancels the request.

        Raises:
            MvsamError: as `errors.from_status` reads gRPC's status.
        """
        with translated(self.url):
            asked = request(model, inputs, outputs)
            return tensors(await self._stub().ModelInfer(asked, timeout=timeout, metadata=self._metadata))

    async def stream(
        self, model: str, inputs: Mapping[str, np.ndarray], outputs: Iterable[str], timeout: float
    ) -> AsyncGenerator[Tensors, None]:
        """Answers as they come; to stop listening, or to cancel the task, cancels the rest.

        Raises:
            MvsamError: as for `infer`.
        """
        requests = iter([request(model, inputs, outputs)])
        reader = StreamReader(self.url)
        with translated(self.url):
            call = self._stub().ModelStreamInfer(requests, timeout=timeout, metadata=self._metadata)
            try:
                async for response in call:
                    self.has_answered = True
                    if (answer := reader.read(response)) is not None:
                        yield answer
            finally:
                call.cancel()
        reader.finish()

    def _stub(self) -> Any:
        if self._is_closed:
            raise InvalidRequestError(CLOSED)
        return service_pb2_grpc.GRPCInferenceServiceStub(self._channels.get())

    def _channel(self) -> grpc.aio.Channel:
        options = channel_options(self.url)
        if self._credentials is None:
            return grpc.aio.insecure_channel(self.url, options=options)
        return grpc.aio.secure_channel(self.url, self._credentials, options=options)
