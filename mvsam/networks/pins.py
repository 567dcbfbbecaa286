"""Hashes of weights files, kept beside them from their first use on."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mvsam.networks.presets import PINS
from mvsam.networks.weight_files import CheckpointError, fault_of


@contextmanager
def pinned(directory: Path, path: Path) -> Iterator[str]:
    """Gives the SHA-256 of a file that must be what it was; at its first use it is pinned once the block succeeds.

    Whoever reads the file and finds that it fits does so in the block, so that no wrong file is ever pinned.

    Args:
        directory: of all weights.
        path: a file in it.

    Raises:
        CheckpointError: the file has changed since it was pinned.
    """
    digest = check_pin(directory, path)
    yield digest
    if _name(directory, path) not in read_pins(directory):
        _write(directory, path, digest)


def check_pin(directory: Path, path: Path) -> str:
    """Returns the SHA-256 of a file, which must be the pinned one where there is one.

    Raises:
        CheckpointError: the file has changed since it was pinned; where it is none of weights, what it is.
    """
    known, digest = read_pins(directory).get(_name(directory, path)), _digest(path)
    if known not in (None, digest):
        if fault := fault_of(path):
            raise CheckpointError(f"{path} {fault}; put the original back, which was pinned at its first use")
        raise CheckpointError(
            f"{path} has SHA-256 {digest}, but {known} was pinned at its first use:"
            f" put the original back, or, if the change is meant, remove its line from {directory / PINS}"
        )
    return digest


def pin(directory: Path, path: Path) -> None:
    """Pins a file's SHA-256 as it is now, as whoever writes the file does."""
    _write(directory, path, _digest(path))


def read_pins(directory: Path) -> dict[str, str]:
    """Returns SHA-256 by file, relative to the folder of weights; nothing before their first use.

    Raises:
        CheckpointError: the list cannot be read.
    """
    path = directory / PINS
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        found = error
    if not isinstance(found, dict):
        why = found if isinstance(found, ValueError) else "it is no object"
        raise CheckpointError(
            f"{path} is no list of hashes ({why}): if you trust the weights that are there, remove it"
        )
    return found


def _write(directory: Path, path: Path, digest: str) -> None:
    pins = read_pins(directory) | {_name(directory, path): digest}
    temporary = directory / f"{PINS}.{os.getpid()}.tmp"  # several processes may begin a training together
    temporary.write_text(json.dumps(pins, indent=2, sort_keys=True) + "\n")
    temporary.replace(directory / PINS)


def _name(directory: Path, path: Path) -> str:
    return str(path.relative_to(directory))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
