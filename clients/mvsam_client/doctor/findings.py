"""What a check finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from mvsam_client.doctor.machine import Machine


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # it works, but not well, or not for long
    PROBLEM = "problem"  # something does not work


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: how bad it is.
        fact: what is the case.
        meaning: what follows from it; empty where all is well.
        remedy: what to do about it; likewise.
    """

    level: Level
    fact: str
    meaning: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """Something that can be looked at.

    Attributes:
        name: by which a user asks for it.
        summary: in a few words.
        examine: looks at a machine and changes nothing there.
    """

    name: str
    summary: str
    examine: Callable[[Machine], Iterable[Finding]]


def ok(fact: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, fact)


def warning(fact: str, meaning: str, remedy: str) -> Finding:
    """It works, but not well."""
    return Finding(Level.WARNING, fact, meaning, remedy)


def problem(fact: str, meaning: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(Level.PROBLEM, fact, meaning, remedy)
