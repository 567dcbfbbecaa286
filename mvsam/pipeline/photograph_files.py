"""Photographs in a folder on disk, as every reader of such folders finds them."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")  # in small letters or capitals


def visible(folder: Path) -> list[Path]:
    """Returns what lies in a folder, by name, without hidden files and the `._` twins that macOS adds to archives.

    Raises:
        OSError: there is no such folder.
    """
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def visible_files(folder: Path) -> list[Path]:
    """Returns the files among `visible`.

    Raises:
        OSError: there is no such folder.
    """
    return [path for path in visible(folder) if path.is_file()]


def photograph_files(folder: Path) -> list[Path]:
    """Returns the JPEG, PNG and WebP files among `visible`, by their names' endings.

    Raises:
        OSError: there is no such folder.
    """
    return [path for path in visible_files(folder) if path.suffix.lower() in SUFFIXES]
