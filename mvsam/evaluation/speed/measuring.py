"""From subjects to figures: each is warmed up and compared with the reference, then all take turns being timed."""

import gc
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from mvsam.evaluation.speed.agreement import Agreement, agreement
from mvsam.evaluation.speed.cases import Case, gathered
from mvsam.evaluation.speed.flops import counted
from mvsam.evaluation.speed.memory import MemoryMeter
from mvsam.evaluation.speed.subjects import Outputs, Subject, Way
from mvsam.evaluation.speed.timing import Spread, interleaved, one_call

logger = logging.getLogger(__name__)

WARM_UP_CALLS, WARM_UP_SECONDS = 3, 2.0  # after the first call, while they last


@dataclass(frozen=True)
class Pace:
    """How long to measure.

    Attributes:
        rounds: at most.
        limit: seconds after which a subject with enough samples rests.
    """

    rounds: int
    limit: float


@dataclass(frozen=True)
class Measured:
    """What is known of a subject.

    Attributes:
        case, way: the subject's.
        seconds: of its calls.
        flops: of the case, counted on the networks as they are written.
        memory: bytes that a call needs at most.
        agreement: with FP32 eager PyTorch; None where there is nothing to compare.
    """

    case: Case
    way: Way
    seconds: Spread
    flops: int
    memory: int
    agreement: Agreement | None

    @property
    def flops_per_second(self) -> float:
        """Counted operations of the case over the median time."""
        return self.flops / self.seconds.median


def measure(
    subjects: Sequence[Subject], references: Mapping[Case, Subject], device: torch.device, pace: Pace
) -> list[Measured]:
    """Figures of every subject, in their order.

    Args:
        subjects: all that is timed.
        references: FP32 eager PyTorch's, of the cases that have outputs to compare; they are not timed.
        device: that is waited for.
        pace: how long.
    """
    meter = MemoryMeter(device)
    synchronize = torch.cuda.synchronize if device.type == "cuda" else _nothing
    known: dict[int, tuple[int, int, Agreement | None, float]] = {}
    for case, group in groupby(_from_small_to_large(subjects), key=lambda subject: subject.case):
        expected, flops = _expected(references[case]) if case in references else (None, 0)
        for subject in group:
            logger.info("warming up: %s, %d views, %d prompts: %s", case.task, case.views, case.prompts, subject.way)
            found = _first(subject, meter, expected, flops)
            known[id(subject)] = (*found, _warm(subject, synchronize))
    with _no_collection():
        samples = interleaved(
            subjects, [known[id(subject)][-1] for subject in subjects], pace.rounds, pace.limit, synchronize
        )
    results = []
    for subject, seconds in zip(subjects, samples, strict=True):
        flops, memory, agreed, _ = known[id(subject)]
        results.append(Measured(subject.case, subject.way, Spread.of(seconds), flops, memory, agreed))
    return results


def _from_small_to_large(subjects: Sequence[Subject]) -> list[Subject]:
    """In the order in which memory can be measured: an arena that has grown says nothing about smaller calls."""
    cases = list(dict.fromkeys(subject.case for subject in subjects))
    return sorted(subjects, key=lambda subject: (subject.at_once, cases.index(subject.case)))


def _expected(reference: Subject) -> tuple[dict[str, Tensor], int]:
    """The reference's outputs, and the operations of its case."""
    reference.before()
    outputs, flops = counted(reference.call)
    return gathered(outputs), flops


def _first(
    subject: Subject, meter: MemoryMeter, expected: Mapping[str, Tensor] | None, flops: int
) -> tuple[int, int, Agreement | None]:
    """Operations, memory and agreement, by the first call that says something about memory."""
    subject.before()
    if subject.compiles:
        subject.call()
        subject.before()
    if expected is not None:
        agreed, memory = meter.measure(subject.call, subject.owners, lambda found: agreement(expected, gathered(found)))
        return flops, memory, agreed

    def count(found: tuple[Outputs, int]) -> int:
        return found[1]

    flops, memory = meter.measure(lambda: counted(subject.call), subject.owners, count)
    return flops, memory, None


def _warm(subject: Subject, synchronize: Callable[[], None]) -> float:
    """Seconds of a warm call."""
    took = [one_call(subject, synchronize)]
    while len(took) < WARM_UP_CALLS and sum(took) < WARM_UP_SECONDS:
        took.append(one_call(subject, synchronize))
    return min(took)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keeps Python's garbage collector from taking a turn in somebody's time."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _nothing() -> None:
    """A CPU has finished when the call returns."""
