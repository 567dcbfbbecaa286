"""Scenes as tensors: what the renderer needs of solids, materials and surroundings, batched over worlds."""

from enum import IntEnum
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

BACKGROUND = -1
LAMPS = 2


class Setting(IntEnum):
    """What surrounds the objects."""

    ROOM = 0  # four walls and a ceiling
    OPEN = 1  # ground to a horizon, under a sky that is painted on a dome: every pixel has a finite point


class Ground(IntEnum):
    """The first materials of every world."""

    FLOOR = 0  # or the open ground
    WALL = 1  # or the sky
    CEILING = 2


class Solids(NamedTuple):
    """All worlds' solids, padded with solids of negative bound."""

    kind: Int[Tensor, "worlds solids"]
    size: Float[Tensor, "worlds solids 5"]
    centre: Float[Tensor, "worlds solids 3"]
    turn: Float[Tensor, "worlds solids 3 3"]
    bound: Float[Tensor, "worlds solids"]
    object: Int[Tensor, "worlds solids"]  # BACKGROUND for rugs and pictures
    material: Int[Tensor, "worlds solids"]


class Materials(NamedTuple):
    """All worlds' materials, padded."""

    texture: Int[Tensor, "worlds materials"]
    colours: Float[Tensor, "worlds materials 2 3"]
    period: Float[Tensor, "worlds materials"]
    phase: Float[Tensor, "worlds materials 3"]
    finish: Float[Tensor, "worlds materials 3"]  # weathering, gloss, sharpness


class Surroundings(NamedTuple):
    """Walls or horizon, and light."""

    setting: Int[Tensor, "*worlds"]
    extent: Float[Tensor, "worlds 3"]  # a room's half length, half width and height; an open world's radius, thrice
    lamp: Float[Tensor, "worlds lamps 3"]
    lamp_colour: Float[Tensor, "worlds lamps 3"]
    lamp_radius: Float[Tensor, "worlds lamps"]
    ambient: Float[Tensor, "worlds 2 3"]  # from below, from above


class Worlds(NamedTuple):
    """Several worlds on a device."""

    solids: Solids
    materials: Materials
    surroundings: Surroundings

    def at(self, index: Int[Tensor, "*views"]) -> "Worlds":
        """The worlds of some views, one for each."""
        return Worlds(
            Solids(*(field.index_select(0, index) for field in self.solids)),
            Materials(*(field.index_select(0, index) for field in self.materials)),
            Surroundings(*(field.index_select(0, index) for field in self.surroundings)),
        )
