"""Tensors by name to a model and back, over gRPC (KServe v2)."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import (
    deserialize_bytes_tensor,
    np_to_triton_dtype,
    serialize_byte_tensor,
    triton_to_np_dtype,
)

from mvsam_client.errors import InvalidRequestError, from_status, split_status

# Any: their classes are made at import, where type checkers cannot see them.
messages: Any = service_pb2

OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Triton closes connections that ping more often than every 300 s while nothing flows, as nothing does during a long
    # inference.
    ("grpc.keepalive_time_ms", 330_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]
HERE = ("127.0.0.1", "localhost", "::1")  # where proxies, which are for the world, are passed by
Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Tls:
    """An encrypted connection.

    Attributes:
        authority: PEM file of those who may sign the server's certificate; None: those that gRPC trusts.
        certificate, key: PEM files of the client's own, where the server asks for one.
    """

    authority: str | os.PathLike[str] | None = None
    certificate: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """For gRPC.

        Raises:
            InvalidRequestError: a file cannot be read, or one of certificate and key is missing.
        """
        if (self.certificate is None) != (self.key is None):
            raise InvalidRequestError("tls: certificate and key go together; give both or neither")
        try:
            read = [None if file is None else Path(file).read_bytes() for file in vars(self).values()]
        except OSError as error:
            raise InvalidRequestError(f"tls: {error.filename} cannot be read ({error.strerror})") from None
        authority, certificate, key = read
        return grpc.ssl_channel_credentials(authority, key, certificate)


class Connection:
    """One gRPC channel; safe to share between threads.

    Args:
        url: HOST:PORT.
        token: sent with every request, where the server asks for one.
        tls: None for a plain connection.
    """

    def __init__(self, url: str, token: str | None = None, tls: Tls | None = None) -> None:
        self.url = url
        self._metadata = () if token is None else (("authorization", f"Bearer {token}"),)
        is_here = url.rpartition(":")[0].strip("[]") in HERE
        options = [*OPTIONS, *([("grpc.enable_http_proxy", 0)] if is_here else [])]
        if tls is None:
            self._channel = grpc.insecure_channel(url, options=options)
        else:
            self._channel = grpc.secure_channel(url, tls.credentials(), options=options)
        self._stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    def close(self) -> None:
        """Ends it."""
        self._channel.close()

    def metadata(self, timeout: float) -> Any:
        """Name and version of the server."""
        with self._translated():
            return self._stub.ServerMetadata(messages.ServerMetadataRequest(), timeout=timeout, metadata=self._metadata)

    def is_live(self, timeout: float) -> bool:
        """Whether it says so itself."""
        with self._translated():
            return self._stub.ServerLive(messages.ServerLiveRequest(), timeout=timeout, metadata=self._metadata).live

    def infer(self, model: str, inputs: Mapping[str, np.ndarray], outputs: Iterable[str], timeout: float) -> Tensors:
        """One answer.

        Raises:
            MvsamError: as `errors.from_status` reads gRPC's status.
        """
        with self._translated():
            request = _request(model, inputs, outputs)
            return _tensors(self._stub.ModelInfer(request, timeout=timeout, metadata=self._metadata))

    def stream(
        self, model: str, inputs: Mapping[str, np.ndarray], outputs: Iterable[str], timeout: float
    ) -> Iterator[Tensors]:
        """Answers as they come; whoever stops listening cancels the rest.

        Raises:
            MvsamError: as for `infer`.
        """
        requests = iter([_request(model, inputs, outputs)])
        refusal = ""
        with self._translated():
            call = self._stub.ModelStreamInfer(requests, timeout=timeout, metadata=self._metadata)
            try:
                for response in call:
                    if response.error_message:
                        refusal = response.error_message  # the last word, but for the end of the stream
                    else:
                        yield _tensors(response.infer_response)
            finally:
                call.cancel()
        if refusal:
            raise from_status(*split_status(refusal), self.url)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            status: Any = error
            raise from_status(status.code().name, status.details(), self.url) from None


def _request(model: str, inputs: Mapping[str, np.ndarray], outputs: Iterable[str]) -> Any:
    request = messages.ModelInferRequest(model_name=model)
    for name, array in inputs.items():
        datatype = np_to_triton_dtype(array.dtype)
        request.inputs.add(name=name, datatype=datatype, shape=array.shape)
        request.raw_input_contents.append(
            _serialized(array) if datatype == "BYTES" else np.ascontiguousarray(array).tobytes()
        )
    for name in outputs:
        request.outputs.add(name=name)
    return request


def _serialized(array: np.ndarray) -> bytes:
    encoded = serialize_byte_tensor(array)
    return b"" if encoded is None or not array.size else encoded.item()


def _tensors(response: Any) -> Tensors:
    tensors: Tensors = {}
    for described, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        if described.datatype == "BYTES":
            array = deserialize_bytes_tensor(raw)
        else:
            array = np.frombuffer(raw, triton_to_np_dtype(described.datatype))
        tensors[described.name] = array.reshape(tuple(described.shape))
    return tensors
