"""Sends the parts of an answer from threads to whoever asked."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Protocol

import numpy as np


class Reply(Protocol):
    """One request's; safe for threads.

    Attributes:
        outputs: names of the tensors that are wanted.
        owner: who asks; whose scenes are nobody else's.
    """

    outputs: Set[str]
    owner: str

    def send(self, tensors: Mapping[str, np.ndarray], last: bool = False) -> None:
        """Sends one part of the answer; the last one ends it."""
        ...

    def end(self, error: Exception | None = None) -> None:
        """Ends the answer; only the first end counts."""
        ...

    def is_cancelled(self) -> bool:
        """Tells whether nobody waits any more."""
        ...


class CancelledError(Exception):
    """Nobody waits for the scene any more."""
