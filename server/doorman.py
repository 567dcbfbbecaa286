"""Who may come in, how often, and how many at a time."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from mvsam.pipeline.errors import quoted

AT_ONCE = {"mvsam": 16, "mvsam_pointmap": 16, "mvsam_scene": 128}  # requests inside, by public model
SCHEME = "bearer"  # in letters of any case (RFC 9110)
NO_TOKEN = "no valid token; send the metadata (over HTTP: the header) `authorization: Bearer TOKEN`"


class Refused(Exception):  # noqa: N818
    """A request that is not let in.

    Attributes:
        status: gRPC's.
        reason: for metrics.
    """

    def __init__(self, status: grpc.StatusCode, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Token:
    """One client's right to come in.

    Attributes:
        name: for logs and metrics.
        sha256: hex digest of the token; the token itself is kept nowhere.
        requests_per_minute: on average; as many may come in one burst.
        at_once: requests inside.
    """

    name: str
    sha256: str
    requests_per_minute: int = 600
    at_once: int = 32


ANYBODY = Token("anybody", "", requests_per_minute=0, at_once=0)


class Doorman:
    """Lets requests in; used from one thread.

    Args:
        tokens: of those who may come in; None for everybody.
        at_once: requests inside, by model.
        clock: seconds.
    """

    def __init__(
        self,
        tokens: Iterable[Token] | None,
        at_once: Mapping[str, int] = AT_ONCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens: dict[str, Token] | None = None
        if tokens is not None:
            self.replace_tokens(tokens)
        self._at_once, self._clock = at_once, clock
        self._inside: Counter[str] = Counter()  # by model, and by token
        self._budgets: dict[str, tuple[float, float]] = {}  # by token: requests left, and when that was so

    @property
    def inside(self) -> dict[str, int]:
        """Requests inside, by model."""
        return {model: self._inside[f"model {model}"] for model in self._at_once}

    def replace_tokens(self, tokens: Iterable[Token]) -> None:
        """Lets in who has one of these from now on, and nobody else; what is inside stays."""
        self._tokens = {token.sha256: token for token in tokens}

    def identified(self, metadata: Any) -> Token:
        """Whose request it is, by its metadata `authorization: Bearer …`.

        Raises:
            Refused: nobody's that is known.
        """
        if self._tokens is None:
            return ANYBODY
        given = next((str(value) for key, value in metadata or () if key == "authorization"), "")
        scheme, _, token = given.partition(" ")
        digest = hashlib.sha256(token.strip(" ").encode(errors="replace")).hexdigest()
        if scheme.lower() == SCHEME and digest in self._tokens:
            return self._tokens[digest]
        raise Refused(grpc.StatusCode.UNAUTHENTICATED, "token", NO_TOKEN)

    def check_public(self, model: str) -> None:
        """Raises Refused where a model is none for clients, or none is named."""
        names = " or ".join(self._at_once)
        if not model:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "model", f"the request names no model; use {names}")
        if model not in self._at_once:
            raise Refused(grpc.StatusCode.NOT_FOUND, "model", f"there is no model {quoted(model)}; use {names}")

    @contextmanager
    def admitted(self, token: Token, model: str) -> Iterator[None]:
        """Lets one request in for the time of the block.

        Raises:
            Refused: the model is none for clients, the token is withdrawn, or too much is going on.
        """
        token = self._renewed(token)
        self.check_public(model)
        places = self._at_once[model]
        counted = [(f"model {model}", places, "busy")]
        if token is not ANYBODY:
            counted.append((f"model {model} token {token.name}", max(1, places // 2), "share"))
            counted.append((f"token {token.name}", token.at_once, "quota"))
        for key, most, reason in counted:
            if self._inside[key] >= most:
                raise Refused(
                    grpc.StatusCode.UNAVAILABLE,
                    reason,
                    f"{most} requests are being served already; try again in a second",
                )
        for key, _, _ in counted:
            self._inside[key] += 1
        try:
            yield
        finally:
            for key, _, _ in counted:
                self._inside[key] -= 1

    def _renewed(self, token: Token) -> Token:
        """Returns a token as it is now, for it may have changed since a stream began.

        Raises:
            Refused: it has been withdrawn.
        """
        if self._tokens is None or token is ANYBODY:
            return token
        if token.sha256 not in self._tokens:
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, "token", NO_TOKEN)
        return self._tokens[token.sha256]

    def spend(self, token: Token) -> None:
        """Takes one request off a token's quota, before anything else is known of it.

        Raises:
            Refused: UNAVAILABLE: none is left for now; UNAUTHENTICATED: the token has been withdrawn.
        """
        token = self._renewed(token)
        if token is ANYBODY:
            return
        now, most = self._clock(), float(token.requests_per_minute)
        left, since = self._budgets.get(token.name, (most, now))
        left = min(most, left + (now - since) * most / 60)
        if left < 1:
            raise Refused(
                grpc.StatusCode.UNAVAILABLE,
                "quota",
                f"more than {token.requests_per_minute} requests a minute; try again in {60 / most:.3g} s",
            )
        self._budgets[token.name] = left - 1, now
