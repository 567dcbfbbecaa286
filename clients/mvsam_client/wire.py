"""Tensors by name as messages of KServe v2, and gRPC's failures as errors of this package; nothing is sent here."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2
from tritonclient.utils import (
    deserialize_bytes_tensor,
    np_to_triton_dtype,
    serialize_byte_tensor,
    triton_to_np_dtype,
)

from mvsam_client.errors import InvalidRequestError, from_status, split_status

# Any: their classes are made at import, where type checkers cannot see them.
messages: Any = service_pb2
Tensors = dict[str, np.ndarray]

CLOSED = "the client is closed; make another, and look its scenes up with Client.scene(id)"
HERE = ("127.0.0.1", "localhost", "::1")  # where proxies, which are for the world, are passed by
_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Triton closes connections that ping more often than every 300 s while nothing flows, as nothing does during a long
    # inference.
    ("grpc.keepalive_time_ms", 330_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # A server that restarts is back in seconds; gRPC's own pauses between tries grow to minutes.
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


def channel_options(url: str) -> list[tuple[str, int]]:
    """Of a gRPC channel to this HOST:PORT."""
    is_here = url.rpartition(":")[0].strip("[]") in HERE
    return [*_OPTIONS, *([("grpc.enable_http_proxy", 0)] if is_here else [])]


def metadata_of(token: str | None) -> tuple[tuple[str, str], ...]:
    """What is sent with every request.

    Raises:
        InvalidRequestError: gRPC cannot send such a token; the message does not show it.
    """
    if token is None:
        return ()
    if not isinstance(token, str):
        cause = f"it is no text, but {type(token).__name__}"
    elif not token:
        cause = "it is empty"
    elif any(end in token for end in ("\r", "\n")):
        cause = "it holds a line break"
    elif not token.isascii():
        cause = "it holds a character outside ASCII"
    elif not token.isprintable() or token != token.strip():
        cause = "it holds a control character, or a space at an end"
    else:
        return (("authorization", f"Bearer {token}"),)
    raise InvalidRequestError(f"token: {cause}; give the token alone, as its server's operator has handed it out")


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turns gRPC's errors into this package's.

    Raises:
        MvsamError: as `errors.from_status` reads gRPC's status.
    """
    try:
        yield
    except grpc.RpcError as error:
        status: Any = error
        raise from_status(status.code().name, status.details(), url) from None


def request(model: str, inputs: Mapping[str, np.ndarray], outputs: Iterable[str]) -> Any:
    """The message that asks a model for outputs."""
    message = messages.ModelInferRequest(model_name=model)
    for name, array in inputs.items():
        datatype = np_to_triton_dtype(array.dtype)
        message.inputs.add(name=name, datatype=datatype, shape=array.shape)
        message.raw_input_contents.append(
            _serialized(array) if datatype == "BYTES" else np.ascontiguousarray(array).tobytes()
        )
    for name in outputs:
        message.outputs.add(name=name)
    return message


def tensors(response: Any) -> Tensors:
    """What a response holds, by name."""
    found: Tensors = {}
    for described, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        if described.datatype == "BYTES":
            array = deserialize_bytes_tensor(raw)
        else:
            array = np.frombuffer(raw, triton_to_np_dtype(described.datatype))
        found[described.name] = array.reshape(tuple(described.shape))
    return found


class StreamReader:
    """Reads the responses on one stream.

    Args:
        url: of the server, named in errors.
    """

    def __init__(self, url: str) -> None:
        self._url, self._refusal = url, ""

    def read(self, response: Any) -> Tensors | None:
        """The tensors of a response; None for an error, which is the last word but for the end of the stream."""
        if response.error_message:
            self._refusal = response.error_message
            return None
        return tensors(response.infer_response)

    def finish(self) -> None:
        """Raises the error that was read, if any."""
        if self._refusal:
            raise from_status(*split_status(self._refusal), self._url)


def _serialized(array: np.ndarray) -> bytes:
    encoded = serialize_byte_tensor(array)
    return b"" if encoded is None or not array.size else encoded.item()
