"""What a trial found, and whether that is what it must show."""

import datetime
import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mvsam.cores import available_cores
from mvsam.runtime.artifacts import write_json


@dataclass(frozen=True)
class Check:
    """One demand.

    Attributes:
        demand: in words.
        found: in words.
        holds: whether it is met.
    """

    demand: str
    found: str
    holds: bool


@dataclass
class Trial:
    """One trial's outcome.

    Attributes:
        name: of it.
        command: that repeats it.
        facts: about the machine and the run.
        checks: its demands.
        figures: whatever else was measured.
    """

    name: str
    command: str
    facts: dict[str, Any]
    checks: list[Check] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def expect(self, demand: str, found: str, holds: bool) -> None:
        """Adds a check."""
        self.checks.append(Check(demand, found, bool(holds)))

    @property
    def holds(self) -> bool:
        """Whether every demand is met."""
        return all(check.holds for check in self.checks)

    def save(self, folder: Path) -> None:
        """Writes it under its name."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / f"{self.name}.json", asdict(self))

    @classmethod
    def load(cls, path: Path) -> "Trial":
        """Reads one back."""
        content = json.loads(path.read_text())
        return cls(**content | {"checks": [Check(**check) for check in content["checks"]]})


def percentile(values: Sequence[float], percent: float) -> float:
    """By the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def milliseconds(values: Sequence[float]) -> Mapping[str, float]:
    """Median, 99th percentile and largest of times in seconds."""
    found = {"p50": statistics.median(values), "p99": percentile(values, 99), "max": max(values)}
    return {name: round(1000 * value, 1) for name, value in found.items()}


def facts(repository: Path) -> dict[str, Any]:
    """Of the machine and the moment."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "machine": f"{available_cores()} CPU cores, load average before {os.getloadavg()[0]:.1f}",
        "repository": str(repository),
    }
