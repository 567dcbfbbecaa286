"""Tensors as they travel: raw requests, which may be as wrong as no client library lets them be."""

import http.client
import io
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from PIL import Image
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import np_to_triton_dtype, serialize_byte_tensor

from mvsam_client.errors import split_status

# Any: its classes are made at import, where type checkers cannot see them.
messages: Any = service_pb2

# What a message to a client may not hold: tracebacks, names of files, paths.
INTERNALS = re.compile(r'Traceback|File "|\.py\b|site-packages|(/[\w.-]+){2,}')
CHANNEL = [("grpc.max_send_message_length", -1), ("grpc.enable_http_proxy", 0)]

VIEWS, WIDTH, HEIGHT = 2, 96, 64  # the second photograph is shown upright: 64 wide, 96 high
MAP = (VIEWS, 16, 24)


@dataclass(frozen=True)
class Raw:
    """A tensor as it travels, for what no array can hold."""

    datatype: str
    shape: list[int]
    content: bytes


Tensors = dict[str, np.ndarray | Raw | None]  # None: left out


@dataclass(frozen=True)
class Answer:
    """What came back: gRPC's status, the message where it is not OK, the outputs' bytes where it is."""

    status: str
    message: str
    outputs: list[bytes]
    seconds: float


class Wire:
    """A connection to a server.

    Args:
        url: of its gRPC endpoint.
    """

    def __init__(self, url: str) -> None:
        self._channel = grpc.insecure_channel(url, options=CHANNEL)
        self._stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    def ask(self, model: str, tensors: Tensors, outputs: tuple[str, ...]) -> Answer:
        """Sends tensors to a model, and measures nothing but the way there and back."""
        message = request(model, tensors, outputs)
        return self._timed(lambda: list(self._stub.ModelInfer(message, timeout=60).raw_output_contents))

    def stream(self, model: str, tensors: Tensors, outputs: tuple[str, ...]) -> Answer:
        """Likewise, for a model with any number of responses."""
        messages = iter([request(model, tensors, outputs)])

        refusals: list[str] = []

        def received() -> list[bytes]:
            contents: list[bytes] = []
            for response in self._stub.ModelStreamInfer(messages, timeout=60):
                refusals.extend([response.error_message] if response.error_message else [])
                contents += response.infer_response.raw_output_contents
            return contents

        answer = self._timed(received)
        if not refusals:
            return answer
        status, message = split_status(refusals[0])
        return replace(answer, status=status, message=message)

    def executions(self, model: str) -> int:
        """How often a model has run so far."""
        answer = self._stub.ModelStatistics(messages.ModelStatisticsRequest(name=model))
        return answer.model_stats[0].execution_count

    def close(self) -> None:
        self._channel.close()

    def _timed(self, ask: Callable[[], list[bytes]]) -> Answer:
        started = time.perf_counter()
        try:
            received = ask()
        except grpc.RpcError as refusal:
            error: Any = refusal
            return Answer(error.code().name, error.details(), [], time.perf_counter() - started)
        return Answer("OK", "", received, time.perf_counter() - started)


def request(model: str, tensors: Tensors, outputs: tuple[str, ...]) -> Any:
    """The message that asks a model."""
    message = messages.ModelInferRequest(model_name=model)
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        raw = tensor if isinstance(tensor, Raw) else as_raw(tensor)
        message.inputs.add(name=name, datatype=raw.datatype, shape=raw.shape)
        message.raw_input_contents.append(raw.content)
    for name in outputs:
        message.outputs.add(name=name)
    return message


def as_raw(array: np.ndarray) -> Raw:
    datatype = np_to_triton_dtype(array.dtype)
    assert datatype is not None
    if datatype == "BYTES":
        return Raw(datatype, list(array.shape), serialize_byte_tensor(array).item() if array.size else b"")
    return Raw(datatype, list(array.shape), array.tobytes())


def floats(values: Any) -> np.ndarray:
    return np.array(values, np.float32)


def integers(values: Any) -> np.ndarray:
    return np.array(values, np.int32)


def files(*contents: bytes) -> np.ndarray:
    array = np.empty(len(contents), np.object_)
    array[:] = contents
    return array


def picture(kind: str = "PNG", size: tuple[int, int] = (WIDTH, HEIGHT), **options: Any) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind, **options)
    return file.getvalue()


def turned() -> bytes:
    """A photograph that is stored lying on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture("JPEG", exif=exif)


PHOTOGRAPH, TURNED = picture(), turned()


def good(model: str) -> Tensors:
    """A request that the server grants: two photographs and a click, and pointmaps where the model takes them."""
    tensors: Tensors = {
        "IMAGES": files(PHOTOGRAPH, TURNED),
        "POINTS": floats([[[40, 30]]]),
        "POINT_LABELS": integers([[1]]),
        "POINT_VIEWS": integers([[0]]),
    }
    if model == "mvsam_pointmap":
        rng = np.random.default_rng(1)
        tensors |= {
            "points": rng.normal(size=(*MAP, 3)).astype(np.float32),
            "confidence": rng.random(MAP, dtype=np.float32),
        }
    return tensors


class _Local(http.client.HTTPConnection):
    """HTTP over a socket of this machine."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def page(path: Path, name: str) -> str:
    """The text of a page that a server has behind a socket of this machine."""
    connection = _Local(path)
    try:
        connection.request("GET", name)
        return connection.getresponse().read().decode()
    finally:
        connection.close()
