"""As `scene`, for asyncio."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import Unpack

from mvsam_client.aio_connection import AsyncConnection, PerLoop
from mvsam_client.errors import ServerUnavailableError, UnknownSceneError
from mvsam_client.prompts import Geometry
from mvsam_client.result import Segmentation, ViewMasks, assembled
from mvsam_client.retries import Persistence, checked_timeout
from mvsam_client.scene_handle import (
    CLICK_TIMEOUT,
    ENCODE_TIMEOUT,
    MODEL,
    Kept,
    SceneHandle,
    SceneRequest,
    kept,
    views_tensor,
)
from mvsam_client.sources import Source
from mvsam_client.vocabulary import Prompting
from mvsam_client.wire import Tensors


class AsyncScene(SceneHandle):
    """As `Scene`, its methods coroutines; an asynchronous context manager, which closes the scene.

    To cancel a task that waits for an answer lets the server leave the work undone.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        persistence: Persistence,
        scene_id: str = "",
        outputs: Sequence[str] = (),
    ) -> None:
        super().__init__(scene_id, outputs, persistence)
        self._connection = connection
        self._renewing = PerLoop(asyncio.Lock)

    async def __aenter__(self) -> "AsyncScene":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        await self.close()

    async def encode(self, photographs: Kept) -> None:
        """What `AsyncClient.encode` calls: sends the photographs and takes the scene's id."""
        request = self._preparing("encode", photographs.inputs())
        self._settle(request, [answer async for answer in self._ask(request, photographs.timeout)], photographs)

    async def segment(
        self,
        *,
        previous: str | Segmentation | ViewMasks = "",
        timeout: float | None = CLICK_TIMEOUT,
        **prompts: Unpack[Prompting],
    ) -> Segmentation:
        """Masks of the prompted objects in every photograph; see `Scene.segment`."""
        given = self._gather(prompts)
        parts = self._parts(self._segmenting(given, previous), checked_timeout(timeout))
        return assembled([part async for part in parts], given.object_ids)

    def stream(
        self,
        *,
        previous: str | Segmentation | ViewMasks = "",
        timeout: float | None = CLICK_TIMEOUT,
        **prompts: Unpack[Prompting],
    ) -> AsyncGenerator[ViewMasks, None]:
        """As `segment`, for `async for`: view by view as they are ready, prompted views first.

        To stop listening cancels the rest.
        """
        return self._parts(self._segmenting(self._gather(prompts), previous), checked_timeout(timeout))

    async def add(
        self,
        images: Source,
        *,
        geometry: Geometry | None = None,
        frames: int | None = None,
        timeout: float | None = ENCODE_TIMEOUT,
    ) -> None:
        """Adds photographs behind those of the scene; see `Scene.add`."""
        more = await asyncio.to_thread(kept, images, frames, geometry, timeout)
        request = self._preparing("add", more.inputs())
        answers = [answer async for answer in self._ask(request, more.timeout)]
        self._settle(request, answers, self._kept and self._kept.with_added(more))

    async def remove(self, views: Sequence[int], *, timeout: float | None = ENCODE_TIMEOUT) -> None:
        """Removes photographs; see `Scene.remove`."""
        request = self._preparing("remove", {"VIEWS": views_tensor(views)})
        answers = [answer async for answer in self._ask(request, checked_timeout(timeout))]
        self._settle(request, answers, self._kept and self._kept.without(views))

    async def describe(
        self,
        *,
        outputs: Sequence[str] = (),
        views: Sequence[int] | None = None,
        timeout: float | None = CLICK_TIMEOUT,
    ) -> None:
        """Asks the server what it keeps; see `Scene.describe`."""
        self._want(outputs)
        request = self._preparing("describe", {} if views is None else {"VIEWS": views_tensor(views)})
        answers = [answer async for answer in self._ask(request, checked_timeout(timeout))]
        self._settle(request, answers, self._kept)

    async def close(self, *, timeout: float | None = CLICK_TIMEOUT) -> None:
        """Lets the server forget the scene; see `Scene.close`."""
        self._kept = None
        with contextlib.suppress(UnknownSceneError):
            async for _ in self._ask(SceneRequest("close"), checked_timeout(timeout)):
                pass

    async def _parts(self, request: SceneRequest, timeout: float) -> AsyncGenerator[ViewMasks, None]:
        async with contextlib.aclosing(self._ask(request, timeout)) as parts:
            async for part in parts:
                for view in request.views(part):
                    yield view

    async def _ask(self, request: SceneRequest, timeout: float) -> AsyncGenerator[Tensors, None]:
        """Answers, after as many attempts as it takes and may take."""
        attempts = request.attempts(self._persistence, timeout)
        while True:
            asked, photographs = self.id, self._kept
            answers = self._connection.stream(MODEL, request.tensors(asked), request.outputs, attempts.seconds)
            try:
                async with contextlib.aclosing(answers):
                    async for answer in answers:
                        attempts.begun = True
                        yield answer
                return
            except ServerUnavailableError as error:
                await asyncio.sleep(attempts.pause(error, self._connection.has_answered))
                continue
            except UnknownSceneError:
                if photographs is None or not request.is_renewable:
                    raise
            async with self._renewing.get():
                if self.id == asked:  # and no other task was faster
                    await self.encode(photographs)
            request = request.renewed()
            attempts = request.attempts(self._persistence, timeout)
