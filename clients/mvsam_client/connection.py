"""Tensors by name to a model and back, over gRPC (KServe v2)."""

import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2_grpc

from mvsam_client.errors import InvalidRequestError
from mvsam_client.values import file_path, instance
from mvsam_client.wire import (
    CLOSED,
    StreamReader,
    Tensors,
    channel_options,
    messages,
    metadata_of,
    request,
    tensors,
    translated,
)


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
            InvalidRequestError: a file cannot be read or holds no PEM, or one of certificate and key is missing.
        """
        # gRPC takes whatever it is given, and says of it later that there is no server: here it has been looked at.
        _, (authority, certificate, key) = self._read()
        return grpc.ssl_channel_credentials(authority, key, certificate)

    def context(self) -> ssl.SSLContext:
        """For HTTP; where no authority is named, those count that Python trusts.

        Raises:
            InvalidRequestError: as for `credentials`.
        """
        return self._read()[0]

    def _read(self) -> tuple[ssl.SSLContext, tuple[bytes | None, bytes | None, bytes | None]]:
        """Returns what the files make, and what they hold: authority, certificate and key.

        Raises:
            InvalidRequestError: as for `credentials`.
        """
        if (self.certificate is None) != (self.key is None):
            raise InvalidRequestError("tls: certificate and key go together; give both or neither")
        try:
            files = {
                name: None if file is None else file_path(file, f"tls: {name}") for name, file in vars(self).items()
            }
            authority, certificate, key = (None if file is None else file.read_bytes() for file in files.values())
        except OSError as error:
            raise InvalidRequestError(f"tls: {error.filename} cannot be read ({error.strerror})") from None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if authority is None:
            context.load_default_certs()
        else:
            try:
                context.load_verify_locations(cadata=authority.decode("ascii", "ignore"))
            except (ssl.SSLError, ValueError):
                raise InvalidRequestError(
                    f"tls: {self.authority} holds no certificate in PEM; give the file of who signed the server's "
                    "certificate"
                ) from None
        if files["certificate"] and files["key"]:
            try:
                context.load_cert_chain(files["certificate"], files["key"], password=lambda: "")
            except (ssl.SSLError, ValueError):
                raise InvalidRequestError(
                    f"tls: {self.certificate} and {self.key} are no certificate and its key in PEM; give both files, "
                    "the key without a password"
                ) from None
        return context, (authority, certificate, key)


def credentials_of(tls: Tls | None) -> grpc.ChannelCredentials | None:
    """Returns what gRPC encrypts a connection with; None for a plain one.

    Raises:
        InvalidRequestError: as for `Tls.credentials`, or `tls` is of another class.
    """
    remedy = 'give Tls(), or Tls(authority="ca.pem"), or None for a plain connection'
    return None if tls is None else instance(tls, Tls, "tls", remedy).credentials()


class Connection:
    """One gRPC channel; safe to share between threads.

    Args:
        url: HOST:PORT.
        token: sent with every request, where the server asks for one.
        tls: None for a plain connection.

    Attributes:
        has_answered: whether the server ever has, be it with an error.
    """

    def __init__(self, url: str, token: str | None = None, tls: Tls | None = None) -> None:
        self.url, self.has_answered, self._is_closed = url, False, False
        self._metadata = metadata_of(token)
        options = channel_options(url)
        credentials = credentials_of(tls)
        if credentials is None:
            self._channel = grpc.insecure_channel(url, options=options)
        else:
            self._channel = grpc.secure_channel(url, credentials, options=options)
        self._open_stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    def close(self) -> None:
        """Ends it."""
        self._is_closed = True
        self._channel.close()

    @property
    def _stub(self) -> Any:
        if self._is_closed:
            raise InvalidRequestError(CLOSED)
        return self._open_stub

    def metadata(self, timeout: float) -> Any:
        """Name and version of the server."""
        with translated(self.url):
            return self._stub.ServerMetadata(messages.ServerMetadataRequest(), timeout=timeout, metadata=self._metadata)

    def is_live(self, timeout: float) -> bool:
        """Whether it says so itself."""
        with translated(self.url):
            asked = messages.ServerLiveRequest()
            is_live = self._stub.ServerLive(asked, timeout=timeout, metadata=self._metadata).live
        self.has_answered = True
        return is_live

    def infer(self, model: str, inputs: Mapping[str, np.ndarray], outputs: Iterable[str], timeout: float) -> Tensors:
        """One answer.

        Raises:
            MvsamError: as `errors.from_status` reads gRPC's status.
        """
        with translated(self.url):
            asked = request(model, inputs, outputs)
            return tensors(self._stub.ModelInfer(asked, timeout=timeout, metadata=self._metadata))

    def stream(
        self, model: str, inputs: Mapping[str, np.ndarray], outputs: Iterable[str], timeout: float
    ) -> Iterator[Tensors]:
        """Answers as they come; whoever stops listening cancels the rest.

        Raises:
            MvsamError: as for `infer`.
        """
        requests = iter([request(model, inputs, outputs)])
        reader = StreamReader(self.url)
        with translated(self.url):
            call = self._stub.ModelStreamInfer(requests, timeout=timeout, metadata=self._metadata)
            try:
                for response in call:
                    self.has_answered = True
                    if (answer := reader.read(response)) is not None:
                        yield answer
            finally:
                call.cancel()
        reader.finish()
