"""Tensors by name to a model and back, over gRPC (KServe v2)."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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

from mvsam_client.errors import from_status, split_status

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
Tensors = dict[str, np.ndarray]


class Connection:
    """One gRPC channel; safe to share between threads.

    Args:
        url: HOST:PORT.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._channel = grpc.insecure_channel(url, options=OPTIONS)
        self._stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    def close(self) -> None:
        """Ends it."""
        self._channel.close()

    def metadata(self, timeout: float) -> Any:
        """Name and version of the server."""
        with self._translated():
            return self._stub.ServerMetadata(messages.ServerMetadataRequest(), timeout=timeout)

    def is_live(self, timeout: float) -> bool:
        """Whether it says so itself."""
        with self._translated():
            return self._stub.ServerLive(messages.ServerLiveRequest(), timeout=timeout).live

    def infer(self, model: str, inputs: Mapping[str, np.ndarray], outputs: Iterable[str], timeout: float) -> Tensors:
        """One answer.

        Raises:
            MvsamError: as `errors.from_status` reads gRPC's status.
        """
        with self._translated():
            return _tensors(self._stub.ModelInfer(_request(model, inputs, outputs), timeout=timeout))

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
            call = self._stub.ModelStreamInfer(requests, timeout=timeout)
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
