"""Which frames of a long recording are asked about."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def evenly(frames: Sequence[T], count: int) -> list[T]:
    """So many frames at equal distances, with the first and the last; all where there are no more than that."""
    return [frames[index] for index in np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)]
