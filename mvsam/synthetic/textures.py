"""Procedural textures: how much of a material's second colour there is at a point of its surface.

Patterns are painted in the solid's own frame. Flat patterns (bricks, checkers) are projected along the axis that the
surface faces most; the others run through the solid, as grain runs through wood.
"""

import math
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mvsam.synthetic.noise import cell_tone, smooth_noise
from mvsam.synthetic.splits import Split
from mvsam.synthetic.vectors import largest, length


class Texture(IntEnum):
    """The families of textures."""

    PLAIN = 0
    CLOUDS = 1
    STRIPES = 2
    CHECKER = 3
    WOOD = 4
    PLANKS = 5
    SPECKLE = 6
    GRADIENT = 7
    MARBLE = 8
    BRICK = 9
    DOTS = 10
    WAVES = 11
    TILES = 12


TEXTURES = {
    Split.TRAIN: tuple(Texture)[: Texture.GRADIENT],
    Split.TEST: tuple(Texture)[Texture.GRADIENT :],
}


class Surface(NamedTuple):
    """Points to be painted, in units of their texture's period."""

    p: Float[Tensor, "3 points"]
    u: Float[Tensor, "*points"]
    v: Float[Tensor, "*points"]
    noise: Float[Tensor, "*points"]  # [0, 1]
    detail: Float[Tensor, "*points"]  # pixels per period: below 2 a pattern fades into its mean

    def at(self, index: Int[Tensor, "*some"]) -> "Surface":
        """Some of the points."""
        return Surface(self.p.index_select(1, index), *(part.index_select(0, index) for part in self[1:]))


def pattern(
    texture: Int[Tensor, "*points"],
    p: Float[Tensor, "3 points"],
    normal: Float[Tensor, "3 points"],
    period: Float[Tensor, "*points"],
    pixel: Float[Tensor, "*points"],
) -> tuple[Float[Tensor, "*points"], Float[Tensor, "*points"]]:
    """Shares of the second colour, and the noise that weathers a surface, both in [0, 1].

    Args:
        texture: values of Texture.
        p: points in the solid's frame, metres, with the material's phase added.
        normal: normals in the solid's frame.
        period: size of the pattern, metres.
        pixel: width of a pixel on the surface, metres.
    """
    facing = largest(normal.abs())
    scaled = p / period
    u = torch.where(facing == 0, scaled[1], scaled[0])
    v = torch.where(facing == 2, scaled[1], scaled[2])
    surface = Surface(scaled, u, v, smooth_noise(scaled), period / pixel)
    share = torch.zeros_like(u)
    for kind, paint in PAINTS.items():
        index = (texture == kind).nonzero()[:, 0]
        if len(index):
            share.index_copy_(0, index, paint(surface.at(index)))
    return share, surface.noise


def _edge(x: Tensor, s: Surface) -> Tensor:
    """0 below zero and 1 above it, one pixel wide; x in periods."""
    return (x * s.detail + 0.5).clamp(0, 1)


def _faded(share: Tensor, mean: float, s: Surface, features: float = 1.0) -> Tensor:
    """A pattern with that many features in a period, where pixels can still resolve it."""
    kept = (s.detail / features - 1).clamp(0, 1)
    return mean + (share - mean) * kept


def _wave(x: Tensor) -> Tensor:
    return 0.5 - 0.5 * torch.cos(2 * math.pi * x)


def _clouds(s: Surface) -> Tensor:
    return (1.6 * s.noise - 0.3).clamp(0, 1)


def _stripes(s: Surface) -> Tensor:
    return _faded(_edge(torch.remainder(s.u + s.v * 0.02, 1) - 0.5, s), 0.5, s)


def _checker(s: Surface) -> Tensor:
    inside_u = (torch.remainder(s.u, 2) - 1).abs() - 0.5
    inside_v = (torch.remainder(s.v, 2) - 1).abs() - 0.5
    return _faded(_edge(inside_u * inside_v * 4, s), 0.5, s)


def _wood(s: Surface) -> Tensor:
    """Rings around an axis beside the solid, bent by noise."""
    grown = length(s.p[:2] + 1.3) + 0.05 * s.p[2] + 0.5 * s.noise
    ring = torch.remainder(grown * 2.5, 1)
    return _faded(ring * ring * ring.sqrt() * 0.8 + 0.25 * s.noise, 0.4, s, 2.5)


def _planks(s: Surface) -> Tensor:
    """Boards with their own tones, dark gaps and grain along them."""
    row = s.v.floor()
    board = ((s.u * 0.2 + 0.37 * row) / 1.0).floor()
    gap_v = 0.5 - (torch.remainder(s.v, 1) - 0.5).abs()
    gap_u = (0.5 - (torch.remainder(s.u * 0.2 + 0.37 * row, 1) - 0.5).abs()) * 5
    grain = smooth_noise(torch.stack([s.u * 0.8, s.v * 9, row * 3 + board]))
    tone = 0.55 * cell_tone(row * 17 + board) + 0.35 * grain
    gap = 1 - _edge(torch.minimum(gap_u, gap_v) - 0.035, s)
    return _faded(torch.maximum(tone, gap), 0.45, s)


def _speckle(s: Surface) -> Tensor:
    fine = smooth_noise(s.p * 4)
    return _faded(((fine - 0.62) * 6).clamp(0, 1), 0.15, s, 4)


def _gradient(s: Surface) -> Tensor:
    """One colour turning into the other along the axis."""
    return (0.5 + 0.35 * s.p[2]).clamp(0, 1)


def _marble(s: Surface) -> Tensor:
    veins = (torch.sin(2 * (s.p[0] + 0.6 * s.p[1] + 0.8 * s.p[2]) + 7 * s.noise)).abs()
    return _faded((1 - veins.sqrt()) * 1.3, 0.25, s).clamp(0, 1)


def _brick(s: Surface) -> Tensor:
    """Rows of stretchers; the second colour is the mortar's."""
    row = (s.v * 2).floor()
    along = s.u + 0.5 * torch.remainder(row, 2)
    joint_v = (0.5 - (torch.remainder(s.v * 2, 1) - 0.5).abs()) / 2
    joint_u = 0.5 - (torch.remainder(along, 1) - 0.5).abs()
    mortar = 1 - _edge(torch.minimum(joint_u, joint_v) - 0.03, s)
    tone = 0.35 * cell_tone(row * 13 + along.floor()) * (0.5 + s.noise)
    return _faded(torch.maximum(mortar, tone), 0.3, s, 2)


def _dots(s: Surface) -> Tensor:
    row = s.v.floor()
    du = torch.remainder(s.u + 0.5 * torch.remainder(row, 2), 1) - 0.5
    dv = torch.remainder(s.v, 1) - 0.5
    return _faded(_edge(0.3 - length(torch.stack([du, dv])), s), 0.28, s)


def _waves(s: Surface) -> Tensor:
    return _faded(_edge(_wave(s.v + 0.35 * _wave(s.u)) - 0.5, s), 0.5, s)


def _tiles(s: Surface) -> Tensor:
    """Square tiles of slightly different tones; the second colour is the grout's."""
    joint = torch.minimum(*(0.5 - (torch.remainder(x, 1) - 0.5).abs() for x in (s.u, s.v)))
    grout = 1 - _edge(joint - 0.025, s)
    tone = 0.3 * cell_tone(s.u.floor() * 7 + s.v.floor() * 31) + 0.25 * s.noise
    return _faded(torch.maximum(tone, grout), 0.3, s)


PAINTS: dict[Texture, Callable[[Surface], Tensor]] = {
    Texture.CLOUDS: _clouds,
    Texture.STRIPES: _stripes,
    Texture.CHECKER: _checker,
    Texture.WOOD: _wood,
    Texture.PLANKS: _planks,
    Texture.SPECKLE: _speckle,
    Texture.GRADIENT: _gradient,
    Texture.MARBLE: _marble,
    Texture.BRICK: _brick,
    Texture.DOTS: _dots,
    Texture.WAVES: _waves,
    Texture.TILES: _tiles,
}
