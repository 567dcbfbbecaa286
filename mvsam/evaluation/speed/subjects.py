"""A subject: one way to compute one case, prepared so that a call does nothing but that."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mvsam.evaluation.speed.cases import Case
from mvsam.networks.presets import Precision

Outputs = Sequence[Mapping[str, Any]]  # of each chunk of views; empty where nothing is compared


def nothing() -> None:
    """Before a call that needs nothing before it."""


def with_threads(count: int | None) -> Callable[[], None]:
    """Gives PyTorch its threads, where their number matters."""

    def before() -> None:
        if count is not None:
            torch.set_num_threads(count)

    return before


def in_words(threads: int | None, *others: str) -> str:
    """A way's setting, in words."""
    counted = f"{threads} thread{'s' if threads != 1 else ''}" if threads else ""
    return ", ".join(filter(None, (counted, *others)))


@dataclass(frozen=True)
class Way:
    """How something is computed.

    Attributes:
        runtime: by what.
        precision: of matrix products and streams.
        setting: threads, views at a time and the like, in words.
    """

    runtime: str
    precision: Precision
    setting: str

    def __str__(self) -> str:
        return ", ".join(part for part in (f"{self.runtime} {self.precision}", self.setting) if part)


@dataclass(frozen=True)
class Subject:
    """What is timed.

    Attributes:
        case: what it computes.
        way: how.
        call: computes it; on a GPU it may return before the end.
        before: runs untimed before every call.
        owners: what may keep memory between calls, such as a session with an arena.
        at_once: views that a graph is given at a time: with more of them, owners keep more.
        compiles: the first call compiles, so it says nothing about memory.
    """

    case: Case
    way: Way
    call: Callable[[], Outputs]
    before: Callable[[], None] = nothing
    owners: Sequence[object] = ()
    at_once: int = 0
    compiles: bool = False
