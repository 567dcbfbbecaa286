"""What a benchmark asks: objects of a scene, clicks on some of its photographs, exact masks of some.

Positions are (x, y) in pixels of the EXIF-upright photograph, pixel centres at integers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from mvsam.pipeline.request import Geometry


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
class Pointmaps:
    """Geometry of N views, each pointmap covering its whole photograph.

    Attributes:
        geometry: points, confidence, validity.
        camera_poses: float32 [N, 4, 4], camera to world, OpenCV axes; None where they are not known.
        intrinsics: float32 [N, 3, 3] in pixels of the pointmaps, the centre of the first pixel at (0.5, 0.5); likewise.
    """

    geometry: Geometry
    camera_poses: np.ndarray | None = None
    intrinsics: np.ndarray | None = None

    def of_views(self, views: Sequence[int]) -> "Pointmaps":
        """Those of some views, in that order."""
        chosen = list(views)
        return Pointmaps(
            self.geometry.of_views(chosen),
            None if self.camera_poses is None else self.camera_poses[chosen],
            None if self.intrinsics is None else self.intrinsics[chosen],
        )


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
