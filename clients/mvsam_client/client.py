"""The gRPC client: one call from photographs and prompts to masks."""

import os
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import tritonclient.grpc as triton
from PIL import Image
from tritonclient.utils import np_to_triton_dtype

from mvsam_client.errors import InvalidRequestError, ServerError, ServerUnavailableError, translated
from mvsam_client.images import ImageSource, encode_image
from mvsam_client.prompts import Box, Click, Geometry, MaskPrompt, prompt_tensors
from mvsam_client.result import Segmentation

DEFAULT_URL = "127.0.0.1:8001"
# The first call on a CPU is slow: a large preset takes minutes.
DEFAULT_TIMEOUT = 600.0
# Liveness is answered at once or not at all.
_LIVENESS_TIMEOUT = 10.0
_LARGEST_MESSAGE = np.iinfo(np.int32).max
_OUTPUTS = ("IMAGE_SIZES", "MASKS", "SCORES", "AREAS")


class Server(NamedTuple):
    """Who answers."""

    name: str
    version: str


class Client:
    """A connection to an MV-SAM server; a context manager, safe to share between threads.

    Nothing is sent before the first call, so a client can be made before its server.
    """

    def __init__(self, url: str = DEFAULT_URL) -> None:
        """Prepares a connection.

        Args:
            url: HOST:PORT of the server's gRPC endpoint.

        Raises:
            InvalidRequestError: the address is a web address.
        """
        if "://" in url:
            raise InvalidRequestError(
                f"url: {url!r} names a scheme; give HOST:PORT of the gRPC endpoint, e.g. {DEFAULT_URL}"
            )
        self.url = url
        # Triton closes connections that ping more often than every 300 s while nothing flows, as nothing does
        # during a long inference.
        keepalive = triton.KeepAliveOptions(keepalive_time_ms=330_000, keepalive_timeout_ms=20_000)
        # Any: the library is untyped and type checkers take its error paths for returns of None.
        self._connection: Any = triton.InferenceServerClient(url, keepalive_options=keepalive)
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
        with translated(self.url):
            metadata = self._connection.get_server_metadata(client_timeout=_LIVENESS_TIMEOUT)
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
        tensors = {"IMAGES": _encode_images(images)}
        tensors |= prompt_tensors(points, boxes, masks)
        tensors["ENCODING"] = np.array([b"rle"], object)
        if geometry is not None:
            tensors |= geometry.tensors()
        self._expect_live()
        extra = tuple(dict.fromkeys(outputs))
        answer = self._infer("mvsam" if geometry is None else "mvsam_pointmap", tensors, (*_OUTPUTS, *extra), timeout)
        return Segmentation.of(answer, extra)

    def _expect_live(self) -> None:
        if self._found_live:
            return
        with translated(self.url):
            self._found_live = self._connection.is_server_live(client_timeout=_LIVENESS_TIMEOUT)
        if not self._found_live:
            raise ServerUnavailableError(f"the server at {self.url} says that it is not live; wait or restart it")

    def _infer(
        self, model: str, tensors: Mapping[str, np.ndarray], outputs: Iterable[str], timeout: float
    ) -> dict[str, np.ndarray]:
        inputs = [_input(name, array) for name, array in tensors.items()]
        names = tuple(dict.fromkeys(outputs))
        with translated(self.url):
            reply = self._connection.infer(
                model, inputs, outputs=[triton.InferRequestedOutput(name) for name in names], client_timeout=timeout
            )
        answer = {}
        for name in names:
            array = reply.as_numpy(name)
            if array is None:
                raise ServerError(f"the server at {self.url} left out {name}; update the older of client and server")
            answer[name] = array
        return answer


def _encode_images(images: Iterable[ImageSource]) -> np.ndarray:
    if isinstance(images, str | bytes | os.PathLike | Image.Image):
        raise InvalidRequestError("images: this is one photograph; give a list of them, e.g. [photograph]")
    encoded = [encode_image(image, f"photograph {i}") for i, image in enumerate(images)]
    if not encoded:
        raise InvalidRequestError("images: there are none; give at least one photograph")
    total = sum(map(len, encoded))
    if total > _LARGEST_MESSAGE:
        raise InvalidRequestError(
            f"images: {len(encoded)} photographs of {total / 1e9:.1f} GB exceed a request's 2.1 GB; "
            f"send fewer or smaller ones"
        )
    return np.array(encoded, object)


def _input(name: str, array: np.ndarray) -> triton.InferInput:
    tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(np.ascontiguousarray(array))
    return tensor
