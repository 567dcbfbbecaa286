"""Threads that do one thing after another and hold up nobody's end."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from mvsam.pipeline.errors import BusyError
from mvsam.scenes.lines import Line

logger = logging.getLogger(__name__)

END_WITHIN = 2.0  # seconds that work in progress gets


@dataclass(frozen=True, eq=False)
class _Job:
    do: Callable[[], None]
    refuse: Callable[[Exception | None], None]
    is_cancelled: Callable[[], bool]


class Workers:
    """A line of jobs and threads that work it off, one owner after the other.

    They are daemons, unlike those of concurrent.futures: one that waits for an answer which never comes must not keep
    the process from ending.

    Args:
        count: of threads.
        name: of them.
        most_waiting: jobs besides those that are being done.
        refusal: what those are told for whom there is no place.
    """

    def __init__(self, count: int, name: str, most_waiting: int = sys.maxsize, refusal: str = "") -> None:
        self._most_waiting, self._free = most_waiting, count
        self._line: Line[_Job] = Line(refusal)
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._work, name=f"{name}_{i}", daemon=True) for i in range(count)]
        for thread in self._threads:
            thread.start()

    def check(self, owner: str) -> None:
        """Raises BusyError where a job of this owner would be refused; those that are cancelled leave the line."""
        self._drop_cancelled()
        with self._changed:
            self._line.check(owner, self._most_waiting + self._free)

    def submit(
        self,
        job: Callable[[], None],
        refuse: Callable[[Exception | None], None],
        owner: str = "",
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Puts a job in line; it answers for its own errors.

        Args:
            job: to be done.
            refuse: called in its place where it has to leave the line: for another owner's with the error, and with
                None where it is cancelled.
            owner: whose it is.
            is_cancelled: whether nobody waits for it any more.

        Raises:
            BusyError: the line is full, of this owner's jobs above all.
        """
        self._drop_cancelled()
        with self._changed:
            displaced = self._line.put(owner, _Job(job, refuse, is_cancelled), self._most_waiting + self._free)
            self._changed.notify()
        if displaced:
            displaced.refuse(BusyError(self._line.refusal))

    def _drop_cancelled(self) -> None:
        with self._changed:
            cancelled = self._line.remove(lambda job: job.is_cancelled())
        for job in cancelled:
            job.refuse(None)

    def close(self) -> None:
        """Ends the threads after the jobs in line, or leaves them to their fate if that takes too long."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(END_WITHIN)

    def _work(self) -> None:
        while self._serve():  # whose variable goes at its end, and what it holds with it
            pass

    def _serve(self) -> bool:
        """Does one job; False at the end."""
        with self._changed:
            while not (taken := self._line.take()):
                if self._closed:
                    return False
                self._changed.wait()
            self._free -= 1
        try:
            taken[1].do()
        except Exception:  # no job may take a thread with it
            logger.exception("a job failed")
        finally:
            with self._changed:
                self._free += 1
        return True
