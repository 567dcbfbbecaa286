"""Names of the files that are written for a photograph, and of files as text that every machine reads alike."""

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
    stem = portable(f"{view:03d}_{Path(name).stem}")
    while len(_bytes(stem)) > LONGEST:
        stem = stem[:-1]
    return local(stem)


def portable(name: str) -> str:
    """Returns a file's name, which Python decodes as the locale says, as UTF-8 would have it."""
    try:
        return os.fsencode(name).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # it was never decoded
        return name


def local(name: str) -> str:
    """Returns what `portable` was given.

    Raises:
        UnicodeEncodeError: no file has such a name.
    """
    return os.fsdecode(_bytes(name))


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def shortened(names: Sequence[str]) -> list[str]:
    """Returns the names that `file_stem` shortens."""
    return [name for view, name in enumerate(names) if not file_stem(view, name).endswith(Path(name).stem)]
