"""Waiting for what must come, however slow the machine is."""

import time
from collections.abc import Callable

PATIENCE = 120  # seconds


def wait_until(condition: Callable[[], object]) -> None:
    """Returns once it holds; fails where it never does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s"
        time.sleep(0.01)
