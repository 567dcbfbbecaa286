"""One object as a composition of solids, standing on z = 0, before it is placed in a scene."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from mvsam.synthetic.solids import SIZES, Kind, bound

Vector = tuple[float, float, float]
UPRIGHT = np.eye(3)
ALONG_X = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # the solid's z becomes the object's x
ALONG_Y = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
HANDLE = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])  # a ring on edge, its y sideways
BOW = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # a ring on edge, its y upwards
SKY = 10.0  # metres that are clear above an object
LENGTHS = {Kind.PRISM: 3, Kind.SUPERQUADRIC: 3}  # sizes that are metres; the others do not grow with the solid


@dataclass(frozen=True)
class Part:
    """A solid in the frame of its object; `paint` chooses among the object's materials."""

    kind: Kind
    size: tuple[float, ...]
    centre: Vector
    turn: np.ndarray = field(default_factory=lambda: UPRIGHT)
    paint: int = 0

    @property
    def bound(self) -> float:
        """Radius of a ball about the centre that holds the solid."""
        return bound(self.kind, self.size)

    def scaled(self, factor: float) -> "Part":
        """The same solid, larger or smaller."""
        lengths = LENGTHS.get(self.kind, SIZES)
        size = tuple(s * factor if index < lengths else s for index, s in enumerate(self.size))
        x, y, z = (factor * c for c in self.centre)
        return replace(self, size=size, centre=(x, y, z))


class Room(NamedTuple):
    """A place for another object: half its width, its height above the ground and how tall a guest may be."""

    half: float
    floor: float
    clear: float


@dataclass(frozen=True)
class Body:
    """An object: its parts, half its footprint, its height, and the places where others may stand."""

    parts: tuple[Part, ...]
    half: tuple[float, float]
    height: float
    rooms: tuple[Room, ...] = ()
    leans: bool = False  # long, upright, and made to lean on something

    def scaled(self, factor: float) -> "Body":
        """The same object, larger or smaller."""
        return Body(
            tuple(part.scaled(factor) for part in self.parts),
            (self.half[0] * factor, self.half[1] * factor),
            self.height * factor,
            tuple(Room(*(factor * side for side in room)) for room in self.rooms),
            self.leans,
        )


def top(half: float, height: float) -> Room:
    """Room on an object's flat top."""
    return Room(half, height, SKY)


def about_z(angle: float) -> np.ndarray:
    """Rotation about the vertical, radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def legs_under(x: float, y: float, half: float, thickness: float, paint: int) -> list[Part]:
    """Four square legs at (±x, ±y), of a half height and a half thickness."""
    size = (thickness, thickness, half)
    return [Part(Kind.BOX, size, (i * x, j * y, half), paint=paint) for i in (-1, 1) for j in (-1, 1)]
