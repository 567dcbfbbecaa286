"""Who may come in, how often, and how many at a time."""

import hashlib
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from mvsam.pipeline.errors import quoted

AT_ONCE = {"mvsam": 16, "mvsam_pointmap": 16, "mvsam_scene": 128}  # requests inside, by public model
SCHEME = "Bearer "


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


def read_tokens(path: Path) -> list[Token]:
    """Tokens of a TOML file with a table `[[token]]` for each.

    Raises:
        ValueError: it is no such file; the message names the entry, never a digest.
        OSError: it cannot be read.
    """
    try:
        entries = tomllib.loads(path.read_bytes().decode("utf-8-sig"))["token"]
        tokens = [Token(**entry) for entry in entries]
    except UnicodeDecodeError:
        raise ValueError(f"{path}: no text in UTF-8; save it as UTF-8") from None
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: no list of tokens ({error}); write [[token]] with name and sha256") from None
    for token in tokens:
        if not isinstance(token.name, str) or not isinstance(token.sha256, str):
            raise ValueError(f"{path}: token {token.name!r} needs name and sha256 as text, in quotes")
        if type(token.requests_per_minute) is not int or type(token.at_once) is not int:
            raise ValueError(f"{path}: token {token.name!r} needs requests_per_minute and at_once as whole numbers")
        if len(token.sha256) != 64 or not set(token.sha256) <= set("0123456789abcdef"):
            raise ValueError(
                f"{path}: token {token.name!r} has no sha256 of 64 hexadecimal digits: sha256sum makes one"
            )
        if token.requests_per_minute < 1 or token.at_once < 1:
            raise ValueError(f"{path}: token {token.name!r} needs requests_per_minute and at_once of at least 1")
    if len({token.name for token in tokens}) < len(tokens):
        raise ValueError(f"{path}: two tokens share a name; give each its own")
    return tokens


class Doorman:
    """Lets requests in; used from one thread.

    Args:
        tokens: with none, everybody may come in.
        at_once: requests inside, by model.
        clock: seconds.
    """

    def __init__(
        self,
        tokens: list[Token],
        at_once: Mapping[str, int] = AT_ONCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = {token.sha256: token for token in tokens}
        self._at_once, self._clock = at_once, clock
        self._inside: Counter[str] = Counter()  # by model, and by token
        self._budgets: dict[str, tuple[float, float]] = {}  # by token: requests left, and when that was so

    @property
    def inside(self) -> dict[str, int]:
        """Requests inside, by model."""
        return {model: self._inside[f"model {model}"] for model in self._at_once}

    def identified(self, metadata: Any) -> Token:
        """Whose request it is, by its metadata `authorization: Bearer …`.

        Raises:
            Refused: nobody's that is known.
        """
        if not self._tokens:
            return ANYBODY
        given = next((str(value) for key, value in metadata or () if key == "authorization"), "")
        digest = hashlib.sha256(given.removeprefix(SCHEME).encode()).hexdigest()
        if given.startswith(SCHEME) and digest in self._tokens:
            return self._tokens[digest]
        raise Refused(
            grpc.StatusCode.UNAUTHENTICATED,
            "token",
            "no valid token; send the metadata (over HTTP: the header) `authorization: Bearer TOKEN`",
        )

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
            Refused: the model is none for clients, or too much is going on.
        """
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

    def spend(self, token: Token) -> None:
        """Takes one request off a token's quota, before anything else is known of it.

        Raises:
            Refused: UNAVAILABLE: none is left for now.
        """
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
