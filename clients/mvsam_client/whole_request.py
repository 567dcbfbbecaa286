"""Photographs and prompts in one request: what is asked of the ensembles, and how the answer is read.

`Client` and `AsyncClient` send it.
"""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mvsam_client.errors import InvalidRequestError, ServerError
from mvsam_client.images import encode_images, upright_size
from mvsam_client.prompts import Geometry
from mvsam_client.result import Segmentation
from mvsam_client.scene_handle import geometry_tensors, output_names, text
from mvsam_client.sources import Source, photographs
from mvsam_client.vocabulary import Prompting, gather
from mvsam_client.wire import Tensors

DEFAULT_URL = "127.0.0.1:8001"
# The first call on a CPU is slow: a large preset takes minutes.
DEFAULT_TIMEOUT = 600.0
# Liveness is answered at once or not at all.
LIVENESS_TIMEOUT = 10.0
_OUTPUTS = ("IMAGE_SIZES", "MASKS", "SCORES", "AREAS")


@dataclass(frozen=True, eq=False, repr=False)
class WholeRequest:
    """One of them.

    Attributes:
        model: the ensemble.
        inputs: by name.
        extra: names of further outputs.
        object_ids: of the rows.
    """

    model: str
    inputs: Tensors
    extra: tuple[str, ...]
    object_ids: tuple[int, ...]

    @classmethod
    def of(
        cls,
        images: Source,
        frames: int | None,
        prompts: Prompting,
        geometry: Geometry | None,
        outputs: Sequence[str],
    ) -> "WholeRequest":
        """Reads the photographs and checks the prompts.

        Raises:
            InvalidRequestError: either is wrong.
        """
        encoded = encode_images(photographs(images, frames=frames))
        given = gather(lambda: _sizes(encoded), **prompts)
        inputs = {"IMAGES": encoded} | given.tensors() | {"ENCODING": text("rle")} | geometry_tensors(geometry)
        model = "mvsam" if geometry is None else "mvsam_pointmap"
        return cls(model, inputs, output_names(outputs), given.object_ids)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of all that is wanted."""
        return tuple(dict.fromkeys((*_OUTPUTS, *self.extra)))

    def read(self, answer: Mapping[str, np.ndarray], url: str) -> Segmentation:
        """The answer.

        Raises:
            ServerError: it lacks an output, or a mask cannot be decoded.
        """
        for name in self.outputs:
            if name not in answer:
                raise ServerError(f"the server at {url} left out {name}; update the older of client and server")
        return Segmentation.of(answer, self.extra, self.object_ids)


def checked_url(url: str) -> str:
    """HOST:PORT, or gRPC's unix:PATH.

    Raises:
        InvalidRequestError: it is neither.
    """
    remedy = f"give HOST:PORT of the gRPC endpoint, e.g. {DEFAULT_URL}"
    if not isinstance(url, str):
        raise InvalidRequestError(f"url: {reprlib.repr(url)} is no text; {remedy}")
    if "://" in url:
        raise InvalidRequestError(f"url: {url!r} names a scheme; {remedy}")
    if url.startswith("unix:"):
        return url
    host, colon, port = url.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal() and 0 < int(port) < 1 << 16):
        raise InvalidRequestError(f"url: {url!r} names no port from 1 to 65535; {remedy}")
    if not host or any(character.isspace() for character in host):
        raise InvalidRequestError(f"url: {url!r} names no host; {remedy}")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise InvalidRequestError(f"url: {url!r} is no HOST:PORT; write an IPv6 address in brackets, e.g. [::1]:8001")
    return url


def not_live(url: str) -> str:
    """What is said of a server that answers, but not well."""
    return f"the server at {url} says that it is not live; wait or restart it"


def _sizes(encoded: np.ndarray) -> np.ndarray:
    return np.array([upright_size(each, f"photograph {view}") for view, each in enumerate(encoded)])
