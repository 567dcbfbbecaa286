"""As `client`, for asyncio."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Unpack

from mvsam_client.aio_connection import AsyncConnection
from mvsam_client.aio_scene import AsyncScene
from mvsam_client.client import Server
from mvsam_client.connection import Tls
from mvsam_client.errors import ServerUnavailableError
from mvsam_client.prompts import Geometry
from mvsam_client.result import Segmentation
from mvsam_client.retries import RETRIES, Attempts, Persistence, checked_timeout
from mvsam_client.scene_handle import kept
from mvsam_client.sources import Source
from mvsam_client.vocabulary import Prompting
from mvsam_client.whole_request import (
    DEFAULT_TIMEOUT,
    DEFAULT_URL,
    LIVENESS_TIMEOUT,
    WholeRequest,
    checked_url,
    not_live,
)


class AsyncClient:
    """As `Client`, its methods coroutines; an asynchronous context manager. Every event loop gets its own connection.

    To cancel a task that waits for an answer cancels the request.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        token: str | None = None,
        tls: Tls | None = None,
        retries: int = RETRIES,
        reencode: bool = True,
    ) -> None:
        """Prepares a connection; arguments and errors as for `Client`."""
        self.url = checked_url(url)
        self._connection = AsyncConnection(url, token, tls)
        self._persistence = Persistence(retries, reencode)

    def __repr__(self) -> str:
        return f"AsyncClient({self.url!r})"

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection; the client cannot be used afterwards."""
        await self._connection.close()

    async def server(self) -> Server:
        """Name and version of the server.

        Raises:
            ServerUnavailableError: nobody answers.
        """
        metadata = await self._connection.metadata(LIVENESS_TIMEOUT)
        return Server(metadata.name, metadata.version)

    async def segment(
        self,
        images: Source,
        *,
        geometry: Geometry | None = None,
        frames: int | None = None,
        outputs: Sequence[str] = (),
        timeout: float | None = DEFAULT_TIMEOUT,
        **prompts: Unpack[Prompting],
    ) -> Segmentation:
        """Segments the prompted objects in every photograph; see `Client.segment`."""
        seconds = checked_timeout(timeout)
        request = await asyncio.to_thread(WholeRequest.of, images, frames, prompts, geometry, outputs)
        await self._expect_live()
        attempts = Attempts(self._persistence.retries, seconds)
        while True:
            try:
                answer = await self._connection.infer(request.model, request.inputs, request.outputs, attempts.seconds)
            except ServerUnavailableError as error:
                await asyncio.sleep(attempts.pause(error, self._connection.has_answered))
                continue
            return request.read(answer, self.url)

    async def encode(
        self,
        images: Source,
        *,
        geometry: Geometry | None = None,
        frames: int | None = None,
        outputs: Sequence[str] = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> AsyncScene:
        """Encodes a scene once, to be clicked on many times; see `Client.encode`."""
        encodable = await asyncio.to_thread(kept, images, frames, geometry, timeout)
        await self._expect_live()
        scene = AsyncScene(self._connection, self._persistence, outputs=outputs)
        await scene.encode(encodable)
        return scene

    def scene(self, scene_id: str) -> AsyncScene:
        """A scene that another client has encoded, by its id; nothing is sent yet."""
        return AsyncScene(self._connection, self._persistence, scene_id)

    async def _expect_live(self) -> None:
        if not self._connection.has_answered and not await self._connection.is_live(LIVENESS_TIMEOUT):
            raise ServerUnavailableError(not_live(self.url))
