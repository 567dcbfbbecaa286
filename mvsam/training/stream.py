"""Where a run stands in examples that are read in order, so that it goes on there."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mvsam.training.example import Part
from mvsam.training.skipped import Skipped


@dataclass(frozen=True)
class StreamState:
    """Where one process stands.

    Attributes:
        epoch, place: of the example that it uses next.
        skipped: what it passed over on the way.
    """

    epoch: int = 0
    place: int = 0
    skipped: Skipped = field(default_factory=Skipped)

    def plain(self) -> dict[str, Any]:
        """As numbers, strings and dictionaries, for a checkpoint."""
        skipped = {"counts": dict(self.skipped.counts), "first": self.skipped.first}
        return {"epoch": self.epoch, "place": self.place, "skipped": skipped}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "StreamState":
        """From what `plain` gave."""
        skipped = plain["skipped"]
        return cls(plain["epoch"], plain["place"], Skipped(Counter(skipped["counts"]), dict(skipped["first"])))


class Stream(Protocol):
    """What a task reads from, where examples come in order and cannot be asked for by number."""

    def state(self) -> StreamState:
        """After the example given last."""
        ...

    def resume(self, states: Sequence[StreamState]) -> None:
        """Goes on where the processes of a run stood; without any, at the beginning."""
        ...


def resumed(states: Sequence[StreamState], part: Part) -> StreamState:
    """Where a part goes on after a run stood so, a state a process.

    With another number of processes than before, all go on from the earliest place: nothing is left out, and the few
    examples by which the processes were apart come again.
    """
    if not states:
        return StreamState()
    if len(states) == part.count:
        return states[part.index]
    epoch, place = min((state.epoch, state.place) for state in states)
    return StreamState(epoch, place, total_skipped(states) if part.index == 0 else Skipped())


def total_skipped(states: Sequence[StreamState]) -> Skipped:
    """What all processes passed over together."""
    return sum((state.skipped for state in states), Skipped())
