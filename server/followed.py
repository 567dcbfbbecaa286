"""Files that are read again when they have changed, such as those of tokens and certificates."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)
Read = TypeVar("Read")


class Followed(Generic[Read]):
    """What some files hold.

    Args:
        files: whose changes count.
        read: reads them; whatever it raises the first time goes to the caller.

    Attributes:
        value: what was read last.
    """

    def __init__(self, files: Sequence[Path], read: Callable[[], Read]) -> None:
        self._files, self._read = files, read
        self._seen = self._versions()
        self.value = read()

    def look(self) -> bool:
        """Reads the files again where one has changed; what cannot be read or is wrong is logged, and changes nothing.

        Returns:
            Whether `value` is new.
        """
        now = self._versions()
        if now == self._seen:
            return False
        self._seen = now
        try:
            self.value = self._read()
        except (OSError, ValueError) as error:
            logger.error("%s; what was read before it changed stays in force", error)
            return False
        logger.info("%s: read again", ", ".join(map(str, self._files)))
        return True

    def _versions(self) -> list[tuple[int, int, int] | None]:
        return [_version(file) for file in self._files]


def _version(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
