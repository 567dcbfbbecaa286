"""Subjects take turns, what is not theirs is not in their time, and quartiles are those of the samples."""

import itertools

import pytest

from mvsam.evaluation.speed.timing import LEAST_SAMPLES, Spread, interleaved


class Clock:
    """A clock that only work moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Worker:
    """A subject whose calls take what they are told to, and which writes down every call."""

    def __init__(self, name: str, seconds: list[float], clock: Clock, diary: list[str]) -> None:
        self.name, self.clock, self.diary = name, clock, diary
        self.seconds = itertools.cycle(seconds)

    def before(self) -> None:
        self.clock.now += 1000.0

    def call(self) -> None:
        self.diary.append(self.name)
        self.clock.now += next(self.seconds)


def nothing() -> None:
    pass


def samples_of(workers: list[Worker], warm: list[float], rounds: int, limit: float = 1e9) -> list[list[float]]:
    return interleaved(workers, warm, rounds, limit, nothing, clock=workers[0].clock)


def test_every_round_gives_every_subject_one_turn_in_an_order_of_its_own() -> None:
    clock, diary = Clock(), []
    workers = [Worker(name, [1.0], clock, diary) for name in "abcde"]
    samples_of(workers, [1.0] * 5, rounds=8)
    turns = ["".join(diary[i : i + 5]) for i in range(0, len(diary), 5)]
    assert len(turns) == 8 and all(sorted(turn) == list("abcde") for turn in turns)
    followers = {turn[turn.index("a") + 1 :][:1] for turn in turns}
    assert len(followers) > 2, "nobody always follows the same other"


def test_samples_are_the_calls_and_nothing_around_them() -> None:
    clock = Clock()
    workers = [Worker("a", [1.0, 3.0, 2.0], clock, []), Worker("b", [7.0], clock, [])]
    first, second = samples_of(workers, [1.0, 7.0], rounds=3)
    assert first == [1.0, 3.0, 2.0], "a thousand seconds of preparation are not in them"
    assert second == [7.0, 7.0, 7.0]


def test_short_calls_are_repeated_and_a_sample_is_their_mean() -> None:
    clock, diary = Clock(), []
    (samples,) = samples_of([Worker("a", [0.01, 0.03], clock, diary)], [0.025], rounds=2)
    assert len(diary) == 4, "two calls of 25 ms make a sample of 50"
    assert samples == pytest.approx([0.02, 0.02])


def test_a_slow_subject_rests_when_it_has_enough_samples() -> None:
    clock = Clock()
    slow, quick = samples_of([Worker("a", [50.0], clock, []), Worker("b", [1.0], clock, [])], [50.0, 1.0], 10, limit=60)
    assert len(slow) == LEAST_SAMPLES
    assert len(quick) == 10


def test_spread() -> None:
    spread = Spread.of([5.0, 1.0, 2.0, 4.0, 3.0])
    assert spread == Spread(median=3.0, lower=2.0, upper=4.0, least=1.0, samples=5)
