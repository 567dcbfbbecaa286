"""A line that shows that the program is alive, and how far it is, while it works."""

import shutil
import sys
import threading
import time
from types import TracebackType
from typing import TextIO

from mvsam_client.terminal import shown

BAR = 24  # characters


class Progress:
    """Context manager: counts seconds on a terminal, and elsewhere writes one line at the start and one at the end.

    With a total it draws a bar, which `advance` fills.
    """

    def __init__(
        self, task: str, stream: TextIO | None = None, interval: float = 0.5, total: int | None = None
    ) -> None:
        """Prepares the line.

        Args:
            task: what is being done.
            stream: where to write; standard error where None.
            interval: seconds between updates.
            total: of the steps that `advance` will count; None where there are none to count.
        """
        self._task = shown(task)
        self._stream = stream or sys.stderr
        self._interval = interval
        self._total, self._done = total, 0
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

    def advance(self, steps: int = 1) -> None:
        """Some steps more are done."""
        self._done += steps

    def line(self) -> str:
        """As the terminal shows it now, cut to its width: a line that wraps could not be written over."""
        if self._total is None:
            text = f"{self._task} … {self._elapsed():.0f} s"
        else:
            filled = BAR * min(self._done, self._total) // max(self._total, 1)
            bar = "█" * filled + "░" * (BAR - filled)
            text = f"{self._task} {bar} {self._done}/{self._total}  {self._elapsed():.0f} s"
        return text[: shutil.get_terminal_size().columns - 1]

    def _tick(self) -> None:
        while not self._finished.is_set():
            self._write(f"\r\x1b[K{self.line()}")
            self._finished.wait(self._interval)

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
