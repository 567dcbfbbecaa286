"""As `connection`, for asyncio."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

import grpc
import grpc.aio
import numpy as np
from tritonclient.grpc import service_pb2_grpc

from mvsam_client.connection import Tls
from mvsam_client.wire import (
    StreamReader,
    Tensors,
    channel_options,
    messages,
    metadata_of,
    request,
    tensors,
    translated,
)


class AsyncConnection:
    """One gRPC channel, of the event loop that first uses it.

    Args:
        url: HOST:PORT.
        token: sent with every request, where the server asks for one.
        tls: None for a plain connection.

    Attributes:
        has_answered: whether the server ever has, be it with an error.
    """

    def __init__(self, url: str, token: str | None = None, tls: Tls | None = None) -> None:
        self.url, self.has_answered = url, False
        self._metadata = metadata_of(token)
        self._credentials = None if tls is None else tls.credentials()
        self._channel: grpc.aio.Channel | None = None

    async def close(self) -> None:
        """Ends it."""
        if self._channel is not None:
            await self._channel.close()

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
        """Made late: a channel belongs to the loop in which it is made."""
        if self._channel is None:
            options = channel_options(self.url)
            if self._credentials is None:
                self._channel = grpc.aio.insecure_channel(self.url, options=options)
            else:
                self._channel = grpc.aio.secure_channel(self.url, self._credentials, options=options)
        return service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
