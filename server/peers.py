"""Connections of ours, by who is at their other end: gRPC tells little of them, and has no way to end one."""

import contextlib
import ipaddress
import os
import socket
import stat
import struct
from collections.abc import Iterator
from urllib.parse import unquote

ESTABLISHED = 1  # a connection's state, the first byte of Linux' struct tcp_info
ACKNOWLEDGED = 120  # where Linux' struct tcp_info has tcpi_bytes_acked
Address = tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]  # host and port


def address_of(peer: str) -> Address | None:
    """Returns a peer's address; None where it has none of TCP.

    Args:
        peer: as gRPC names it, such as ipv4:127.0.0.1:5000 or ipv6:%5B::1%5D:5000.
    """
    kind, _, address = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return None
    host, _, port = address.rpartition(":")
    return plain(host.strip("[]"), int(port))


def connections() -> Iterator[tuple[socket.socket, Address]]:
    """Yields every TCP connection of this process and who is at its other end; each is closed after its turn."""
    for number in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):  # one that is closed meanwhile, or has no other end
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            with socket.socket(fileno=os.dup(number)) as connection:
                if connection.type == socket.SOCK_STREAM and connection.family in (socket.AF_INET, socket.AF_INET6):
                    host, port, *_ = connection.getpeername()
                    yield connection, plain(host, port)


def hang_up(*addresses: Address | None) -> None:
    """Ends the connections with those who have these addresses; does nothing where there are none."""
    for connection, peer in connections():
        if peer in addresses:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def connection_with(address: Address | None) -> Iterator[socket.socket | None]:
    """Yields the connection with a peer, for the time of the block; None where there is none of TCP."""
    found = None
    for connection, peer in connections():
        if peer == address:
            # Not `connection.dup()`, which makes both blocking, and gRPC's own with them.
            found = socket.socket(fileno=os.dup(connection.fileno()))
            break
    try:
        yield found
    finally:
        if found is not None:
            found.close()


def acknowledged(connection: socket.socket | None) -> int | None:
    """Returns how many bytes the other end has acknowledged so far; None where it is not connected any more."""
    if connection is None:
        return None
    with contextlib.suppress(OSError, struct.error):
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        if told[0] == ESTABLISHED:
            return struct.unpack_from("=Q", told, ACKNOWLEDGED)[0]
    return None


def plain(host: str, port: int) -> Address:
    """Returns an address in the form in which all of one peer are equal."""
    address = ipaddress.ip_address(host.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address, port
