"""A line that shows that the program is alive while a call runs."""

import sys
import threading
import time
from types import TracebackType
from typing import TextIO


class Progress:
    """Context manager: counts seconds on a terminal, and elsewhere writes one line at the start and one at the end."""

    def __init__(self, task: str, stream: TextIO | None = None, interval: float = 0.5) -> None:
        """Prepares the line.

        Args:
            task: what is being done.
            stream: where to write; standard error where None.
            interval: seconds between updates.
        """
        self._task = task
        self._stream = stream or sys.stderr
        self._interval = interval
        self._finished = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> "Progress":
        self._started = time.monotonic()
        if self._stream.isatty():
            self._ticker.start()
        else:
            self._write(f"{self._task} …\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self._finished.set()
        if self._ticker.ident is not None:
            self._ticker.join()
        start = "\r\x1b[K" if self._stream.isatty() else ""
        outcome = "done in" if kind is None else "stopped after"
        self._write(f"{start}{self._task}: {outcome} {self._elapsed():.1f} s\n")

    def _tick(self) -> None:
        while not self._finished.is_set():
            self._write(f"\r\x1b[K{self._task} … {self._elapsed():.0f} s")
            self._finished.wait(self._interval)

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
