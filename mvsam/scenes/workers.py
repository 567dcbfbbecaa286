"""Threads that do one thing after another and hold up nobody's end."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

END_WITHIN = 2.0  # seconds that work in progress gets


class Workers:
    """A queue and threads that work it off.

    They are daemons, unlike those of concurrent.futures: one that waits for an answer which never comes must not keep
    the process from ending.

    Args:
        count: of threads.
        name: of them.
    """

    def __init__(self, count: int, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"{name}_{i}", daemon=True) for i in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Callable[..., None], *arguments: Any) -> None:
        """Puts a job in line; it answers for its own errors."""
        self._jobs.put(lambda: job(*arguments))

    def close(self) -> None:
        """Ends the threads after the jobs in line, or leaves them to their fate if that takes too long."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(END_WITHIN)

    def _work(self) -> None:
        while self._serve():  # whose variable goes at its end, and what it holds with it
            pass

    def _serve(self) -> bool:
        """Does one job; False at the end."""
        job = self._jobs.get()
        if job is None:
            return False
        try:
            job()
        except Exception:  # no job may take a thread with it
            logger.exception("a job failed")
        return True
