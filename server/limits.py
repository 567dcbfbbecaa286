"""How much of the entry's memory, connections and time anybody may take: what each limit is, and who has how much."""

import argparse
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

import grpc

from server.doorman import ANYBODY, Refused, Token

MEBIBYTE = 2**20
HANDSHAKE = 10.0  # seconds for a connection to become one of TLS, and of HTTP/2


@dataclass(frozen=True)
class EntryLimits:
    """What the entry takes; the shares of a token are half of what there is for all.

    Attributes:
        message_mib: MiB of one request, over gRPC and HTTP.
        in_flight_mib: MiB of requests being served and answers not read yet, together.
        connections: open at once, of each port.
        calls: open at once over gRPC, idle streams included.
        one_shots: requests of the ensembles that are computed at once; others wait, one token after the other.
        receive_seconds: for a request to arrive whole; over HTTP, a second more for each 128 KiB.
        send_seconds: for a client to read a part of an answer.
        idle_seconds: that a stream, or a connection, stays open with nothing asked.
    """

    message_mib: int = 160
    in_flight_mib: int = 320
    connections: int = 1024
    calls: int = 512
    one_shots: int = 2
    receive_seconds: float = 120.0
    send_seconds: float = 60.0
    idle_seconds: float = 1800.0

    @property
    def message_bytes(self) -> int:
        """Of one request."""
        return self.message_mib * MEBIBYTE

    @classmethod
    def of(cls, options: argparse.Namespace) -> "EntryLimits":
        """Those of a command line that `add_limits` has prepared.

        Raises:
            ValueError: one is not positive, or no request of that size would be let in.
        """
        given = {field.name: getattr(options, f"max_{field.name}") for field in fields(cls)}
        for name, value in given.items():
            if not value > 0:
                raise ValueError(f"--max-{name.replace('_', '-')} is {value}; give a positive number")
        limits = cls(**given)
        if 2 * limits.message_mib > limits.in_flight_mib:
            raise ValueError("--max-message-mib is more than half of --max-in-flight-mib; raise the latter too")
        return limits


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Adds an option for each limit."""
    group = parser.add_argument_group("limits", "docs/security.md says what each is for")
    for field in fields(EntryLimits):
        default = getattr(EntryLimits, field.name)
        group.add_argument(
            f"--max-{field.name.replace('_', '-')}",
            type=type(default),
            default=default,
            metavar="N",
            help="default %(default)s",
        )


class Shares:
    """Something of which there is so much for all, and half of it for one token; used from one thread.

    Args:
        most: for all; who comes without a token, where none is needed, may have all of it.
        what: it is, for those who are refused, such as "calls are open".
        reason: for metrics.
    """

    def __init__(self, most: int, what: str, reason: str) -> None:
        self._most, self._what, self._reason = most, what, reason
        self._taken: Counter[str] = Counter()  # by token
        self.total = 0

    def of(self, token: Token) -> int:
        """The most that a token may have."""
        return self._most if token is ANYBODY else self._most // 2

    def take(self, token: Token, amount: int = 1) -> None:
        """Takes so much, until `give`.

        Raises:
            Refused: UNAVAILABLE: there is no more for now, or not for this token.
        """
        if self._taken[token.name] + amount > self.of(token) or self.total + amount > self._most:
            raise Refused(
                grpc.StatusCode.UNAVAILABLE, self._reason, f"too many {self._what} already; try again in a second"
            )
        self.keep(token, amount)

    def keep(self, token: Token, amount: int) -> None:
        """Goes on to count what was taken before, whoever else has had it meanwhile, until `give`."""
        self._taken[token.name] += amount
        self.total += amount

    def give(self, token: Token, amount: int = 1) -> None:
        """Gives back what was taken."""
        self.total -= amount
        self._taken[token.name] -= amount
        if not self._taken[token.name]:
            del self._taken[token.name]

    @contextmanager
    def held(self, token: Token, amount: int = 1) -> Iterator[None]:
        """Takes so much for the time of the block.

        Raises:
            Refused: as for `take`.
        """
        self.take(token, amount)
        try:
            yield
        finally:
            self.give(token, amount)
