"""Lines of those who wait, and the threads that serve them."""

import threading

import pytest

from mvsam.pipeline.errors import BusyError
from mvsam.scenes.lines import Line
from mvsam.scenes.workers import Workers
from tests.waiting import PATIENCE, wait_until


def line_of(*jobs: tuple[str, int]) -> Line[int]:
    line: Line[int] = Line("full")
    for owner, job in jobs:
        line.put(owner, job, 100)
    return line


def test_owners_take_turns():
    line = line_of(("a", 1), ("a", 2), ("a", 3), ("b", 4), ("b", 5), ("c", 6))
    assert [line.take() for _ in range(6)] == [("a", 1), ("b", 4), ("c", 6), ("a", 2), ("b", 5), ("a", 3)]
    assert line.take() is None


def test_some_can_be_passed_over():
    line = line_of(("a", 1), ("b", 2))
    assert line.take({"a"}) == ("b", 2) and line.take({"a"}) is None and line.take() == ("a", 1)


def test_one_alone_may_have_all_places_and_makes_room_for_others():
    line: Line[int] = Line("full")
    assert [line.put("a", job, 4) for job in range(4)] == [None] * 4
    with pytest.raises(BusyError, match="full"):
        line.put("a", 4, 4)
    assert [line.put("b", job, 4) for job in (5, 6)] == [3, 2], "the last of who has most"
    for owner in ("a", "b"):
        with pytest.raises(BusyError):  # both have as many
            line.put(owner, 7, 4)
    assert sorted(line) == [0, 1, 5, 6]


def test_jobs_leave_it_in_their_order():
    line = line_of(("a", 1), ("a", 2), ("a", 3), ("b", 4))
    assert line.take_all("a", lambda job: job != 2) == [1, 3] and line.take_all("c", lambda job: True) == []
    assert line.remove(lambda job: job > 3) == [4] and list(line) == [2] and len(line) == 1


def test_workers_serve_one_owner_after_the_other_and_have_room_for_each():
    workers, gate, done, refused = Workers(1, "test", 2, "full"), threading.Event(), [], []
    begun = threading.Event()

    def block() -> None:
        begun.set()
        gate.wait(PATIENCE)

    def submit(owner: str, name: str) -> None:
        workers.submit(lambda: done.append(name), lambda error: refused.append((name, str(error))), owner)

    workers.submit(block, lambda error: None, "a")
    assert begun.wait(PATIENCE)
    submit("a", "a1")
    submit("a", "a2")
    with pytest.raises(BusyError, match="full"):
        submit("a", "a3")
    submit("b", "b1")
    assert refused == [("a2", "full")]
    gate.set()
    wait_until(lambda: len(done) == 2)
    workers.close()
    assert set(done) == {"a1", "b1"}


def test_as_many_wait_as_may_besides_those_that_are_served():
    workers, gate = Workers(1, "test", 2), threading.Event()

    def block() -> None:
        gate.wait(PATIENCE)

    for _ in range(3):
        workers.submit(block, lambda error: None)
    with pytest.raises(BusyError):
        workers.submit(lambda: None, lambda error: None)
    gate.set()
    workers.close()
