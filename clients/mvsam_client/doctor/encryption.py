"""A port that speaks TLS, where the connection is not made as it asks."""

import contextlib
import socket
import ssl

from mvsam_client.connection import Tls
from mvsam_client.doctor.findings import Finding, problem
from mvsam_client.doctor.machine import Machine
from mvsam_client.errors import InvalidRequestError

WITHIN = 3.0  # seconds


def encryption_missed(machine: Machine, port: int) -> Finding | None:
    """Returns what is to be said of a port that speaks TLS which the address lacks or does not trust; else None.

    Args:
        machine: whose address names the host, and what its certificate is checked by.
        port: of that host.
    """
    host, tls = machine.address.host, machine.address.tls
    if not _speaks_tls(host, port):
        return None
    if tls is None:
        return problem(
            f"port {port} of {host} speaks TLS, and no certificate authority was given to check it by",
            "An unencrypted connection is ended there; the server itself may be well.",
            "give --tls-ca FILE (PEM of who signed the server's certificate), or --tls if this machine trusts them",
        )
    if (reason := _distrust(host, port, tls)) is not None:
        return problem(
            f"port {port} of {host} speaks TLS, and its certificate is not accepted ({reason})",
            "Clients refuse to connect; it may be another server, or the authority another one's.",
            "give --tls-ca FILE (PEM of who signed the server's certificate), and a host that it is for, --url HOST:N",
        )
    return None


def _speaks_tls(host: str, port: int) -> bool:
    """Tells whether a handshake comes to its end, whatever certificate is shown."""
    anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anything.check_hostname, anything.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(OSError, ValueError):
        _shake_hands(host, port, anything)
        return True
    return False


def _distrust(host: str, port: int, tls: Tls) -> str | None:
    """Why a certificate is not accepted; None where it is."""
    try:
        _shake_hands(host, port, tls.context())
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except (OSError, ValueError, InvalidRequestError):
        return None
    return None


def _shake_hands(host: str, port: int, context: ssl.SSLContext) -> None:
    with (
        socket.create_connection((host, port), timeout=WITHIN) as connection,
        context.wrap_socket(connection, server_hostname=host),
    ):
        pass
