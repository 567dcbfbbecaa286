"""What a benchmark asks: objects of a scene, clicks on some of its photographs, exact masks of some.

Positions are (x, y) in pixels of the EXIF-upright photograph, pixel centres at integers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from mvsam.evaluation.geometry.pointmaps import Pointmaps


class DatasetError(ValueError):
    """A data set is not as it should be; the message names the file and where to get it, or how to mend it."""


class Click(NamedTuple):
    """On the object, or beside it."""

    view: int
    x: float
    y: float
    positive: bool = True


@dataclass(frozen=True, eq=False)
class Photograph:
    """One view.

    Attributes:
        name: unique in its scene.
        read: gives the encoded file.
    """

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True, eq=False)
class Target:
    """One object and what is asked about it.

    Attributes:
        name: unique in its scene.
        clicks: on any of the photographs.
        truth: view to its mask, bool [h, w] of any size that covers the whole photograph. Other views have none.
        scored: views of `truth` that count.
    """

    name: str
    clicks: tuple[Click, ...]
    truth: Mapping[int, Callable[[], np.ndarray]]
    scored: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Scene:
    """N photographs of one place.

    Attributes:
        name: unique in its data set.
        photographs: of the N views, in the order in which they were taken.
        targets: objects that are asked about.
        pointmaps: gives geometry that comes with the data; None where none does.
    """

    name: str
    photographs: tuple[Photograph, ...]
    targets: tuple[Target, ...]
    pointmaps: Callable[[], Pointmaps] | None = None


class Dataset(Protocol):
    """Scenes on disk."""

    @property
    def name(self) -> str:
        """As documents call it."""
        ...

    def scenes(self) -> Sequence[str]:
        """Names of the scenes, in the data set's order.

        Raises:
            DatasetError: something is missing or damaged.
        """
        ...

    def load(self, scene: str) -> Scene:
        """One of them.

        Raises:
            DatasetError: something is missing or damaged.
        """
        ...
