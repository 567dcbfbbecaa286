"""A scene that the server keeps: encoded once, clicked on many times."""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Unpack

from mvsam_client.connection import Connection
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


class Scene(SceneHandle):
    """A handle; a context manager, which closes the scene. Threads may share it, but for `add` and `remove`.

    Made by `Client.encode`, or by `Client.scene` from an id. One that `Client.encode` has made keeps the photographs:
    if the server has lost the scene (it restarted, or needed the memory), they are encoded again and the request is
    repeated. Answers that were to be refined are gone then.
    """

    def __init__(
        self,
        connection: Connection,
        persistence: Persistence,
        scene_id: str = "",
        outputs: Sequence[str] = (),
    ) -> None:
        super().__init__(scene_id, outputs, persistence)
        self._connection = connection
        self._renewing = threading.Lock()

    def __enter__(self) -> "Scene":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.close()

    def encode(self, photographs: Kept) -> None:
        """What `Client.encode` calls: sends the photographs and takes the scene's id."""
        request = self._preparing("encode", photographs.inputs())
        self._settle(request, list(self._ask(request, photographs.timeout)), photographs)

    def segment(
        self,
        *,
        previous: str | Segmentation | ViewMasks = "",
        timeout: float | None = CLICK_TIMEOUT,
        **prompts: Unpack[Prompting],
    ) -> Segmentation:
        """Masks of the prompted objects in every photograph.

        Args:
            prompts: see `Prompting`. Lists, `points=[Click(…)]`, `boxes=[Box(…)]`, `masks=[MaskPrompt(…)]`; or SAM2's
                vocabulary, `points=[[x, y], …]`, `labels=[1, 0, …]`, `view=`, `box=`, `mask=`, `object_id=`.
            previous: a former segmentation of the same objects, or its `answer`, whose masks are refined; send its
                clicks again, with more. The server keeps answers for a while, and as long as the scene does not change.
            timeout: seconds to wait for the whole answer, None to wait without end; to encode a lost scene again takes
                longer.

        Raises:
            UnknownSceneError: the server does not hold the scene any more, and this handle has no photographs.
            UnknownAnswerError: it does not keep the previous answer any more.
            SceneChangedError: the scene has other photographs than this handle knows of.
            InvalidRequestError, ServerUnavailableError, DeadlineExceededError, ServerError: as for `Client.segment`.
        """
        given = self._gather(prompts)
        return assembled(self._parts(self._segmenting(given, previous), checked_timeout(timeout)), given.object_ids)

    def stream(
        self,
        *,
        previous: str | Segmentation | ViewMasks = "",
        timeout: float | None = CLICK_TIMEOUT,
        **prompts: Unpack[Prompting],
    ) -> Iterator[ViewMasks]:
        """As `segment`, view by view as they are ready, prompted views first; to stop listening cancels the rest."""
        return self._parts(self._segmenting(self._gather(prompts), previous), checked_timeout(timeout))

    def add(
        self,
        images: Source,
        *,
        geometry: Geometry | None = None,
        frames: int | None = None,
        timeout: float | None = ENCODE_TIMEOUT,
    ) -> None:
        """Adds photographs behind those of the scene, with their pointmaps where it has the user's own.

        The scene becomes what it would be had all been encoded together.
        """
        more = kept(images, frames, geometry, timeout)
        request = self._preparing("add", more.inputs())
        answers = list(self._ask(request, more.timeout))
        self._settle(request, answers, self._kept and self._kept.with_added(more))

    def remove(self, views: Sequence[int], *, timeout: float | None = ENCODE_TIMEOUT) -> None:
        """Removes photographs; the views behind them count down.

        The scene becomes what it would be had the rest been encoded alone.
        """
        request = self._preparing("remove", {"VIEWS": views_tensor(views)})
        answers = list(self._ask(request, checked_timeout(timeout)))
        self._settle(request, answers, self._kept and self._kept.without(views))

    def describe(
        self,
        *,
        outputs: Sequence[str] = (),
        views: Sequence[int] | None = None,
        timeout: float | None = CLICK_TIMEOUT,
    ) -> None:
        """Asks the server what it keeps: `sizes`, `digests`, `statistics` and `extra` are set.

        Args:
            outputs: as for `Client.encode`; asked for from now on.
            views: whose points and confidence `extra` is given, where those of all are too large for one answer.
            timeout: seconds to wait for the answer.

        Raises:
            UnknownSceneError: the server does not hold the scene any more, and this handle has no photographs.
            InvalidRequestError, ServerUnavailableError, DeadlineExceededError, ServerError: as for `Client.segment`.
        """
        self._want(outputs)
        request = self._preparing("describe", {} if views is None else {"VIEWS": views_tensor(views)})
        self._settle(request, list(self._ask(request, checked_timeout(timeout))), self._kept)

    def close(self, *, timeout: float | None = CLICK_TIMEOUT) -> None:
        """Lets the server forget the scene; no error if it has already. It is not encoded again afterwards."""
        self._kept = None
        with contextlib.suppress(UnknownSceneError):
            list(self._ask(SceneRequest("close"), checked_timeout(timeout)))

    def _parts(self, request: SceneRequest, timeout: float) -> Iterator[ViewMasks]:
        for part in self._ask(request, timeout):
            yield from request.views(part)

    def _ask(self, request: SceneRequest, timeout: float) -> Iterator[Tensors]:
        """Answers, after as many attempts as it takes and may take."""
        attempts = request.attempts(self._persistence, timeout)
        while True:
            asked, photographs = self.id, self._kept
            try:
                for answer in self._connection.stream(MODEL, request.tensors(asked), request.outputs, attempts.seconds):
                    attempts.begun = True
                    yield answer
                return
            except ServerUnavailableError as error:
                time.sleep(attempts.pause(error, self._connection.has_answered))
                continue
            except UnknownSceneError:
                if photographs is None or not request.is_renewable:
                    raise
            with self._renewing:
                if self.id == asked:  # and no other thread was faster
                    self.encode(photographs)
            request = request.renewed()
            attempts = request.attempts(self._persistence, timeout)
