"""Which pixel of which photograph a click on the page means.

A click is a ray. It meets photographs, which are flat rectangles in space, and points of the cloud; what it meets first
counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

# How far beside a point of the cloud a click may fall, in pixels of the page.
REACH = 6.0
# Of the points within reach, those so many reaches behind the foremost one are taken for another surface.
DEPTH = 4.0


@dataclass(frozen=True, eq=False)
class Ray:
    """A half-line: `origin` [3], and `direction` [3] of length 1."""

    origin: np.ndarray
    direction: np.ndarray

    @classmethod
    def of(cls, origin: ArrayLike, direction: ArrayLike) -> "Ray":
        """From a direction of any length."""
        along = np.asarray(direction, np.float64)
        return cls(np.asarray(origin, np.float64), along / np.linalg.norm(along))


@dataclass(frozen=True, eq=False)
class Panel:
    """A flat rectangle in space: a photograph.

    Attributes:
        view: which photograph.
        corner: [3], its upper left corner.
        right: [3], from there to the upper right corner.
        down: [3], from there to the lower left corner.
        size: (h, w) of the photograph in pixels.
    """

    view: int
    corner: np.ndarray
    right: np.ndarray
    down: np.ndarray
    size: tuple[int, int]

    @property
    def far_corner(self) -> np.ndarray:
        """Its lower right corner: [3]."""
        return self.corner + self.right + self.down

    def at(self, x: float, y: float) -> np.ndarray:
        """Where a pixel of the photograph is: [3]."""
        height, width = self.size
        return self.corner + (x + 0.5) / width * self.right + (y + 0.5) / height * self.down


class Pixel(NamedTuple):
    """A pixel of a photograph; pixel centres are at whole numbers."""

    view: int
    x: float
    y: float


def on_panel(panel: Panel, ray: Ray) -> tuple[float, Pixel] | None:
    """How far along the ray it meets the photograph, and at which pixel; None where it passes by."""
    system = np.stack([panel.right, panel.down, -ray.direction], axis=1)
    if abs(np.linalg.det(system)) < 1e-12:
        return None
    u, v, distance = np.linalg.solve(system, ray.origin - panel.corner)
    if not (0 <= u < 1 and 0 <= v < 1 and distance > 0):
        return None
    height, width = panel.size
    return float(distance), Pixel(panel.view, pixel_at(u, width), pixel_at(v, height))


def pixel_at(share: float, size: int) -> float:
    """The pixel coordinate at a share of a photograph's side, not beyond the centres of the outermost pixels."""
    return float(np.clip(share * size - 0.5, 0, size - 1))


def on_cloud(points: np.ndarray, ray: Ray, spread: float) -> tuple[float, int] | None:
    """The point that a click means: of the foremost ones within reach, the one nearest to the ray.

    Args:
        points: [n, 3].
        ray: the click.
        spread: reach of a click per unit of distance (see `reach`).

    Returns:
        How far along the ray the point is, and its index; None where no point is within reach.
    """
    offsets = points - ray.origin
    along = offsets @ ray.direction
    aside = np.sqrt(np.maximum((offsets**2).sum(axis=1) - along**2, 0))
    near = np.flatnonzero((along > 0) & (aside <= spread * along))
    if not near.size:
        return None
    first = along[near].min()
    front = near[along[near] <= first * (1 + DEPTH * spread)]
    chosen = int(front[np.argmin(aside[front] / along[front])])
    return float(along[chosen]), chosen


def reach(field_of_view: float, page_height: int) -> float:
    """How far beside a point a click may fall, per unit of distance.

    Args:
        field_of_view: of the page's camera, vertical, in radians.
        page_height: in pixels.
    """
    return REACH * 2 * float(np.tan(field_of_view / 2)) / max(1, page_height)


def pick(
    ray: Ray, photographs: Sequence[Panel], boards: Sequence[Panel], points: np.ndarray, spread: float
) -> Pixel | int | None:
    """What a click meets first.

    Args:
        ray: the click.
        photographs: that can be clicked on.
        boards: that hide what is behind them, and mean nothing.
        points: [n, 3], of the cloud.
        spread: see `reach`.

    Returns:
        A pixel of a photograph, or the index of a point; None where the click means nothing.
    """
    hits: list[tuple[float, Pixel | int | None]] = [hit for panel in photographs if (hit := on_panel(panel, ray))]
    hits += [(hit[0], None) for board in boards if (hit := on_panel(board, ray))]
    if hit := on_cloud(points, ray, spread):
        hits.append(hit)
    return min(hits, key=lambda found: found[0])[1] if hits else None
