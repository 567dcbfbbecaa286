"""Times of many subjects side by side: whatever slows the machine for a while slows all of them."""

import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

logger = logging.getLogger(__name__)

SAMPLE_SECONDS = 0.05  # shorter calls are repeated until a sample lasts that long
LEAST_SAMPLES = 3
SETTLE_SECONDS = 0.005  # before every sample: threads that spin after their work go to sleep


class Timed(Protocol):
    """What is timed: `before` is not."""

    @property
    def before(self) -> Callable[[], None]: ...

    @property
    def call(self) -> Callable[[], object]: ...


@dataclass(frozen=True)
class Spread:
    """What the samples of one subject say, in seconds."""

    median: float
    lower: float  # quartile
    upper: float
    least: float
    samples: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread":
        """Of at least one sample."""
        lower, median, upper = np.quantile(seconds, (0.25, 0.5, 0.75))
        return cls(float(median), float(lower), float(upper), float(min(seconds)), len(seconds))


def one_call(subject: Timed, synchronize: Callable[[], None], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of a call, until the device has finished."""
    subject.before()
    synchronize()
    started = clock()
    subject.call()
    synchronize()
    return clock() - started


def interleaved(
    subjects: Sequence[Timed],
    warm: Sequence[float],
    rounds: int,
    limit: float,
    synchronize: Callable[[], None],
    clock: Callable[[], float] = time.perf_counter,
    seed: int = 0,
) -> list[list[float]]:
    """Samples of every subject, in seconds a call.

    In a round every subject has one turn, in an order of its own, so that none always follows the same other.

    Args:
        subjects: warm ones.
        warm: what a warm call of each took, which decides how many calls make a sample.
        rounds: at most.
        limit: seconds after which a subject with enough samples takes part in no further round.
        synchronize: waits for the device.
        clock: seconds.
        seed: of the orders.
    """
    order = random.Random(seed)
    samples: list[list[float]] = [[] for _ in subjects]
    spent = [0.0] * len(subjects)
    for number in range(rounds):
        turns = [i for i in range(len(subjects)) if len(samples[i]) < LEAST_SAMPLES or spent[i] < limit]
        order.shuffle(turns)
        logger.info("round %d of %d: %d subjects", number + 1, rounds, len(turns))
        for i in turns:
            time.sleep(SETTLE_SECONDS)
            repeats = max(1, math.ceil(SAMPLE_SECONDS / max(warm[i], 1e-6)))
            calls = [one_call(subjects[i], synchronize, clock) for _ in range(repeats)]
            samples[i].append(sum(calls) / repeats)
            spent[i] += sum(calls)
    return samples
