"""The gRPC client: one call from photographs and prompts to masks."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Unpack

from mvsam_client.connection import Connection, Tls
from mvsam_client.errors import ServerUnavailableError
from mvsam_client.prompts import Geometry
from mvsam_client.result import Segmentation
from mvsam_client.retries import RETRIES, Attempts, Persistence, checked_timeout
from mvsam_client.scene import Scene
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


class Server(NamedTuple):
    """Who answers."""

    name: str
    version: str


class Client:
    """A connection to an MV-SAM server; a context manager, safe to share between threads.

    Nothing is sent before the first call, so a client can be made before its server.
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
        """Prepares a connection.

        Args:
            url: HOST:PORT of the server's gRPC endpoint.
            token: where the server asks for one; readable on the way unless `tls` is given.
            tls: for an encrypted connection.
            retries: how often a request is repeated while a server that has answered before is unavailable, after
                pauses that grow; within the request's timeout, and never once a part of the answer is there. 0: never.
            reencode: whether scenes of `encode` keep their photographs in memory, so that one that the server has lost
                is encoded again without a word.

        Raises:
            InvalidRequestError: the address is no HOST:PORT, the token cannot be sent, or a file of `tls` cannot be
                read.
        """
        self.url = checked_url(url)
        self._connection = Connection(url, token, tls)
        self._persistence = Persistence(retries, reencode)

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; the client cannot be used afterwards."""
        self._connection.close()

    @property
    def server(self) -> Server:
        """Name and version of the server.

        Raises:
            ServerUnavailableError: nobody answers.
        """
        metadata = self._connection.metadata(LIVENESS_TIMEOUT)
        return Server(metadata.name, metadata.version)

    def segment(
        self,
        images: Source,
        *,
        geometry: Geometry | None = None,
        frames: int | None = None,
        outputs: Sequence[str] = (),
        timeout: float | None = DEFAULT_TIMEOUT,
        **prompts: Unpack[Prompting],
    ) -> Segmentation:
        """Segments the prompted objects in every photograph.

        Args:
            images: photographs of one static scene: paths, bytes of files, PIL images or uint8 arrays [h, w, 3] in a
                list; or a folder, a pattern, a video or a COLMAP project, see `photographs`.
            geometry: the user's own pointmaps; the server estimates them where None.
            frames: how many photographs at most, at even distances.
            outputs: further outputs to return in `extra`, e.g. "points", "confidence", "GEOMETRY_RECTS", "mask_logits".
            timeout: seconds to wait for the answer; None to wait without end.
            prompts: see `Prompting`. Lists, `points=[Click(…)]`, `boxes=[Box(…)]`, `masks=[MaskPrompt(…)]`; or SAM2's
                vocabulary, `points=[[x, y], …]`, `labels=[1, 0, …]`, `view=`, `box=`, `mask=`, `object_id=`.

        Raises:
            InvalidRequestError: the request is wrong; the message says what and how to mend it.
            ServerUnavailableError: nobody answers.
            DeadlineExceededError: the answer did not come in time.
            ServerError: the server failed.
        """
        seconds = checked_timeout(timeout)
        request = WholeRequest.of(images, frames, prompts, geometry, outputs)
        self._expect_live()
        attempts = Attempts(self._persistence.retries, seconds)
        while True:
            try:
                answer = self._connection.infer(request.model, request.inputs, request.outputs, attempts.seconds)
            except ServerUnavailableError as error:
                time.sleep(attempts.pause(error, self._connection.has_answered))
                continue
            return request.read(answer, self.url)

    def encode(
        self,
        images: Source,
        *,
        geometry: Geometry | None = None,
        frames: int | None = None,
        outputs: Sequence[str] = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Scene:
        """Encodes a scene once, to be clicked on many times; the server keeps it for a while after its last use.

        Args:
            images: as for `segment`.
            geometry: likewise.
            frames: likewise.
            outputs: further outputs to keep in `Scene.extra`, e.g. "points", "confidence", "camera_poses".
            timeout: likewise.

        Raises:
            MvsamError: as for `segment`.
        """
        encodable = kept(images, frames, geometry, timeout)
        self._expect_live()
        scene = Scene(self._connection, self._persistence, outputs=outputs)
        scene.encode(encodable)
        return scene

    def scene(self, scene_id: str) -> Scene:
        """A scene that another client has encoded, by its id; nothing is sent yet."""
        return Scene(self._connection, self._persistence, scene_id)

    def _expect_live(self) -> None:
        """One look and no patience: who has never answered is not about to come back."""
        if not self._connection.has_answered and not self._connection.is_live(LIVENESS_TIMEOUT):
            raise ServerUnavailableError(not_live(self.url))
