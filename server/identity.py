"""Holds the certificate, key and client authority of TLS; changed files count for connections that begin then."""

import contextlib
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from server.followed import Followed


@dataclass(frozen=True)
class Identity:
    """Holds what TLS needs: contents of PEM files.

    Attributes:
        certificate: its chain.
        key: its private key.
        clients: the authority that clients' certificates must be signed by; None where they need none.
        context: for HTTP, of the same.

    Raises:
        ValueError: they are no certificates, or not of each other.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    clients: bytes | None = None
    context: ssl.SSLContext = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        # No session is resumed: it would outlive the authority that its client's certificate was signed by.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        with _as_file(self.certificate) as chain, _as_file(self.key) as key:
            try:
                context.load_cert_chain(chain, key, password="")  # an encrypted key is refused, and nobody asked
                if self.clients is not None:
                    context.load_verify_locations(cadata=self.clients.decode())
                    context.verify_mode = ssl.CERT_OPTIONAL  # probes of health have none; inference asks for one
                    # In 1.2 sessions are resumed by their numbers too, and OpenSSL has no setting for it in Python.
                    context.minimum_version = ssl.TLSVersion.TLSv1_3
            except (ssl.SSLError, UnicodeDecodeError):
                raise ValueError(
                    "--tls-cert, --tls-key or --tls-client-ca is no PEM file, or the key is not the certificate's"
                ) from None
        object.__setattr__(self, "context", context)

    def for_grpc(self) -> grpc.ServerCertificateConfiguration:
        """For gRPC."""
        return grpc.ssl_server_certificate_configuration([(self.key, self.certificate)], self.clients)


def follow_identity(certificate: Path, key: Path, clients: Path | None) -> Followed[Identity]:
    """Reads an identity from PEM files, which may change.

    Raises:
        OSError: one cannot be read.
        ValueError: as for `Identity`.
    """

    def read() -> Identity:
        return Identity(certificate.read_bytes(), key.read_bytes(), clients.read_bytes() if clients else None)

    return Followed([certificate, key, *([clients] if clients else [])], read)


def grpc_credentials(identity: Followed[Identity]) -> grpc.ServerCredentials:
    """Returns those of a gRPC server, each of whose connections begins with the latest identity."""
    told = identity.value

    def changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal told
        if (latest := identity.value) is told:
            return None
        told = latest
        return latest.for_grpc()

    fetch: Any = changed  # the stubs do not know that None leaves all as it is
    return grpc.dynamic_ssl_server_credentials(told.for_grpc(), fetch, told.clients is not None)


def http_context(identity: Followed[Identity]) -> ssl.SSLContext:
    """Returns that of an HTTP server, each of whose connections begins with the latest identity."""

    def begin(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = identity.value.context

    context = identity.value.context
    context.sni_callback = begin  # which is called of clients that name no host, too
    return context


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Gives a file in memory a path, for OpenSSL reads chains from files only: a key is never on a disk by us."""
    number = os.memfd_create("pem")
    try:
        with open(number, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)
