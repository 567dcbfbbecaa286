"""One training example, before any network has seen it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from mvsam.pipeline.request import Geometry

Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class Example:
    """Photographs of one static scene, and masks of K objects, all of which are seen in the first view.

    Attributes:
        key: names these photographs in this order; the same key always means the same pixels.
        photographs: V ≥ 1 upright photographs, uint8 [h, w, 3], each of its own size.
        masks: bool [K, h, w] of the first view, K ≥ 1.
        geometry: of the V views, covering whole photographs; None: π³ is to estimate it.
        further_masks: bool [K, h, w] of each further view; empty where only the first view's masks are known.
        annotated: bool [K, V], where there are further masks: which of them are known. A known mask without pixels
            says that the object is not seen.
        place: in the order of its epoch; whoever has used it resumes at `place + 1`.

    Raises:
        ValueError: shapes or types that contradict each other.
    """

    key: str
    photographs: list[np.ndarray]
    masks: np.ndarray
    geometry: Geometry | None = None
    further_masks: list[np.ndarray] = field(default_factory=list)
    annotated: np.ndarray | None = None
    place: int = 0

    def __post_init__(self) -> None:
        if not self.photographs:
            raise ValueError(f"{self.key}: an example without photographs; give at least one")
        for view, photograph in enumerate(self.photographs):
            if photograph.dtype != np.uint8 or photograph.ndim != 3 or photograph.shape[2] != 3:
                found = f"{photograph.dtype} {list(photograph.shape)}"
                raise ValueError(f"{self.key}: photograph {view} is {found}; give uint8 [h, w, 3]")
        self._check_masks()
        if self.geometry is not None and len(self.geometry.points) != len(self.photographs):
            raise ValueError(
                f"{self.key}: geometry of {len(self.geometry.points)} views for {len(self.photographs)} photographs; "
                "give one pointmap a photograph"
            )

    def _check_masks(self) -> None:
        objects, views = len(self.masks), len(self.photographs)
        if not objects:
            raise ValueError(f"{self.key}: an example without masks; give at least one")
        if self.further_masks and len(self.further_masks) != views - 1:
            raise ValueError(
                f"{self.key}: masks of {len(self.further_masks)} further views; give them of all {views - 1}, or none"
            )
        for view, masks in enumerate([self.masks, *self.further_masks]):
            expected = (objects, *self.photographs[view].shape[:2])
            if masks.dtype != bool or masks.shape != expected:
                found = f"{masks.dtype} {list(masks.shape)}"
                raise ValueError(f"{self.key}: masks of view {view} are {found}; give bool {list(expected)}")
        if bool(self.further_masks) != (self.annotated is not None):
            raise ValueError(f"{self.key}: further_masks and annotated belong together; give both or neither")
        if self.annotated is not None and self.annotated.shape != (objects, views):
            raise ValueError(f"{self.key}: annotated has shape {list(self.annotated.shape)}; give {[objects, views]}")


@dataclass(frozen=True)
class Part:
    """One consumer's part of an epoch: every `count`-th place, from `index` on.

    A consumer is a rank, or a worker of one.

    Raises:
        ValueError: there is no such part.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ValueError(f"part {self.index} of {self.count}; give an index from 0 to {max(self.count - 1, 0)}")

    def of(self, items: Iterable[Item], start: int = 0) -> Iterator[tuple[int, Item]]:
        """This part's items at places from `start` on, with their places."""
        for place, item in enumerate(items):
            if place >= start and place % self.count == self.index:
                yield place, item
