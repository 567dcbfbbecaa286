"""What a stream of examples passes over instead of stopping at it, and why."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Cause(StrEnum):
    """Why something was passed over."""

    BROKEN_TAR = "tar file with a broken end"
    NO_PHOTOGRAPH = "json without its jpg"
    NO_ANNOTATIONS = "jpg without its json"
    UNREADABLE = "file that cannot be read"
    BAD_PHOTOGRAPH = "damaged or truncated jpg"
    TOO_LARGE = "jpg of too many pixels"
    BAD_ANNOTATIONS = "damaged or empty json"
    BAD_MASK = "mask with a damaged RLE"
    MASK_SIZE = "mask of another size than its photograph"
    NO_MASK = "photograph without a usable mask"


@dataclass
class Skipped:
    """What was passed over so far, by cause, and the first that was: plain strings and numbers.

    Masks count one by one: the rest of their photograph is used; where nothing is left of it, that counts as well.
    """

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, cause: Cause, key: str) -> None:
        """Counts one."""
        self.counts[cause.value] += 1
        self.first.setdefault(cause.value, key)

    def become(self, other: "Skipped") -> None:
        """Goes on counting from there."""
        self.counts, self.first = Counter(other.counts), dict(other.first)

    def __add__(self, other: "Skipped") -> "Skipped":
        return Skipped(self.counts + other.counts, other.first | self.first)

    def __str__(self) -> str:
        if not self.counts:
            return "nothing skipped"
        return "skipped: " + ", ".join(
            f"{count} × {cause} (first {self.first[cause]})" for cause, count in self.counts.most_common()
        )
