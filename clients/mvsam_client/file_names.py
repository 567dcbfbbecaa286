"""Names of the files that are written for a photograph."""

import os
from collections.abc import Sequence
from pathlib import Path

LONGEST = 200  # bytes: file systems take 255, and the object's number and an ending are still to come


def file_stem(view: int, name: str) -> str:
    """Returns the view's number and the photograph's name without ending, shortened where it is too long.

    Args:
        view: of the photograph; it alone tells shortened names apart.
        name: of the photograph.
    """
    stem = f"{view:03d}_{Path(name).stem}"
    while len(os.fsencode(stem)) > LONGEST:
        stem = stem[:-1]
    return stem


def shortened(names: Sequence[str]) -> list[str]:
    """Returns the names that `file_stem` shortens."""
    return [name for view, name in enumerate(names) if not file_stem(view, name).endswith(Path(name).stem)]
