"""What a server says of itself, asked without the translation of errors, which the doctor has its own words for."""

import urllib.request
from http.client import HTTPException
from types import TracebackType
from typing import Any

import grpc
from tritonclient.grpc import service_pb2_grpc

from mvsam_client.address import Address
from mvsam_client.connection import credentials_of
from mvsam_client.errors import InvalidRequestError
from mvsam_client.wire import channel_options, messages, metadata_of

WITHIN = 10.0  # seconds: such questions are answered at once or not at all
HEALTH_WITHIN = 3.0  # seconds


class Probe:
    """A connection to a server; a context manager.

    Every question raises grpc.RpcError where there is no answer.
    """

    def __init__(self, address: Address) -> None:
        """Prepares it.

        Raises:
            InvalidRequestError: a file of the address's `tls` cannot be read.
        """
        options = channel_options(address.url)
        credentials = credentials_of(address.tls)
        if credentials is None:
            self._channel = grpc.insecure_channel(address.url, options=options)
        else:
            self._channel = grpc.secure_channel(address.url, credentials, options=options)
        self._stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._call: dict[str, Any] = {"timeout": WITHIN, "metadata": metadata_of(address.token)}

    def __enter__(self) -> "Probe":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self._channel.close()

    def is_live(self) -> bool:
        """Whether it says so."""
        return self._stub.ServerLive(messages.ServerLiveRequest(), **self._call).live

    def is_ready(self) -> bool:
        """Whether it takes requests."""
        return self._stub.ServerReady(messages.ServerReadyRequest(), **self._call).ready

    def identity(self) -> str:
        """Its name and version."""
        found = self._stub.ServerMetadata(messages.ServerMetadataRequest(), **self._call)
        return f"{found.name} {found.version}"

    def has(self, model: str) -> bool:
        """Whether it serves a model."""
        return self._stub.ModelReady(messages.ModelReadyRequest(name=model), **self._call).ready

    def tensors(self, model: str) -> tuple[dict[str, str], dict[str, str]]:
        """Data type by name of a model's inputs, and of its outputs."""
        found = self._stub.ModelMetadata(messages.ModelMetadataRequest(name=model), **self._call)
        inputs, outputs = (
            {tensor.name: tensor.datatype for tensor in tensors} for tensors in (found.inputs, found.outputs)
        )
        return inputs, outputs


def has_health(address: Address, port: int) -> bool:
    """Returns whether a server of this project tells its health on a port; it may still be starting.

    Args:
        address: of its gRPC endpoint, whose host it is; where that is encrypted, so is this, with the same authority.
        port: of HTTP.
    """
    host = f"[{address.host}]" if ":" in address.host else address.host
    scheme = "http" if address.tls is None else "https"
    try:
        context = None if address.tls is None else address.tls.context()
        # Without proxies: those of the environment are for the world, not for loopback.
        without_proxies = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        opener = urllib.request.build_opener(*without_proxies)
        with opener.open(f"{scheme}://{host}:{port}/v2/health/live", timeout=HEALTH_WITHIN):
            return True
    except (OSError, ValueError, HTTPException, InvalidRequestError):
        return False
