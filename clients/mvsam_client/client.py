"""The gRPC client: one call from photographs and prompts to masks."""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import NamedTuple

import numpy as np

from mvsam_client.connection import Connection, Tls
from mvsam_client.errors import InvalidRequestError, ServerError, ServerUnavailableError
from mvsam_client.images import ImageSource, encode_images
from mvsam_client.prompts import Box, Click, Geometry, MaskPrompt, prompt_tensors
from mvsam_client.result import Segmentation
from mvsam_client.scene import Scene

DEFAULT_URL = "127.0.0.1:8001"
# The first call on a CPU is slow: a large preset takes minutes.
DEFAULT_TIMEOUT = 600.0
# Liveness is answered at once or not at all.
_LIVENESS_TIMEOUT = 10.0
_OUTPUTS = ("IMAGE_SIZES", "MASKS", "SCORES", "AREAS")


class Server(NamedTuple):
    """Who answers."""

    name: str
    version: str


class Client:
    """A connection to an MV-SAM server; a context manager, safe to share between threads.

    Nothing is sent before the first call, so a client can be made before its server.
    """

    def __init__(self, url: str = DEFAULT_URL, *, token: str | None = None, tls: Tls | None = None) -> None:
        """Prepares a connection.

        Args:
            url: HOST:PORT of the server's gRPC endpoint.
            token: where the server asks for one; readable on the way unless `tls` is given.
            tls: for an encrypted connection.

        Raises:
            InvalidRequestError: the address is a web address, or a file of `tls` cannot be read.
        """
        if "://" in url:
            raise InvalidRequestError(
                f"url: {url!r} names a scheme; give HOST:PORT of the gRPC endpoint, e.g. {DEFAULT_URL}"
            )
        self.url = url
        self._connection = Connection(url, token, tls)
        self._found_live = False

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
        metadata = self._connection.metadata(_LIVENESS_TIMEOUT)
        return Server(metadata.name, metadata.version)

    def segment(
        self,
        images: Iterable[ImageSource],
        *,
        points: Sequence[Click] = (),
        boxes: Sequence[Box] = (),
        masks: Sequence[MaskPrompt] = (),
        geometry: Geometry | None = None,
        outputs: Sequence[str] = (),
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Segmentation:
        """Segments the prompted objects in every photograph.

        Args:
            images: photographs of one static scene: paths, bytes of files, PIL images or uint8 arrays [h, w, 3].
            points: clicks; with `boxes` and `masks` at least one prompt.
            boxes: rectangles around objects.
            masks: rough masks of objects.
            geometry: the user's own pointmaps; the server estimates them where None.
            outputs: further outputs to return in `extra`, e.g. "points", "confidence", "GEOMETRY_RECTS", "mask_logits".
            timeout: seconds to wait for the answer.

        Raises:
            InvalidRequestError: the request is wrong; the message says what and how to mend it.
            ServerUnavailableError: nobody answers.
            DeadlineExceededError: the answer did not come in time.
            ServerError: the server failed.
        """
        tensors = {"IMAGES": encode_images(images)}
        tensors |= prompt_tensors(points, boxes, masks)
        tensors["ENCODING"] = np.array([b"rle"], object)
        if geometry is not None:
            tensors |= geometry.tensors()
        self._expect_live()
        extra = tuple(dict.fromkeys(outputs))
        names = tuple(dict.fromkeys((*_OUTPUTS, *extra)))
        model = "mvsam" if geometry is None else "mvsam_pointmap"
        answer = self._connection.infer(model, tensors, names, timeout)
        for name in names:
            if name not in answer:
                raise ServerError(f"the server at {self.url} left out {name}; update the older of client and server")
        return Segmentation.of(answer, extra)

    def encode(
        self,
        images: Iterable[ImageSource],
        *,
        geometry: Geometry | None = None,
        outputs: Sequence[str] = (),
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Scene:
        """Encodes a scene once, to be clicked on many times; the server keeps it for a while after its last use.

        Args:
            images: as for `segment`.
            geometry: likewise.
            outputs: further outputs to keep in `Scene.extra`, e.g. "points", "confidence", "camera_poses".
            timeout: likewise.

        Raises:
            MvsamError: as for `segment`.
        """
        self._expect_live()
        scene = Scene(self._connection, outputs=outputs)
        scene.encode(images, geometry, timeout)
        return scene

    def scene(self, scene_id: str) -> Scene:
        """A scene that another client has encoded, by its id; nothing is sent yet."""
        return Scene(self._connection, scene_id)

    def _expect_live(self) -> None:
        if self._found_live:
            return
        self._found_live = self._connection.is_live(_LIVENESS_TIMEOUT)
        if not self._found_live:
            raise ServerUnavailableError(f"the server at {self.url} says that it is not live; wait or restart it")
