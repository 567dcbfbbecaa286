"""Colours and finishes of objects and surroundings; some objects share those of a neighbour or of the background."""

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from mvsam.synthetic.splits import Split
from mvsam.synthetic.textures import TEXTURES, Texture

Colour = tuple[float, float, float]  # linear light
Limits = tuple[float, float]

FLOORS = {
    Split.TRAIN: (Texture.PLANKS, Texture.CHECKER, Texture.CLOUDS, Texture.SPECKLE, Texture.WOOD),
    Split.TEST: (Texture.TILES, Texture.BRICK, Texture.MARBLE),
}
WALLS = {
    Split.TRAIN: (Texture.PLAIN, Texture.PLAIN, Texture.CLOUDS, Texture.STRIPES),
    Split.TEST: (Texture.GRADIENT, Texture.GRADIENT, Texture.BRICK, Texture.DOTS, Texture.TILES),
}


@dataclass(frozen=True)
class Material:
    """A texture of two colours, and how the surface shines."""

    texture: Texture
    first: Colour
    second: Colour
    period: float  # metres
    phase: tuple[float, float, float]  # metres
    weathering: float  # how far noise darkens and lightens it
    gloss: float
    sharpness: float  # Blinn–Phong exponent


def object_materials(rng: Generator, split: Split, size: float, shared: list[Material]) -> list[Material]:
    """Two materials for an object of a size in metres; with one chance in three the colours are those of `shared`."""
    first, second = _pair(rng)
    if shared and rng.random() < 0.35:
        like = shared[rng.integers(len(shared))]
        first, second = like.first, like.second
    main = _material(rng, _choice(rng, TEXTURES[split]), first, second, size * rng.uniform(0.25, 0.7))
    trim_first, trim_second = _pair(rng) if rng.random() < 0.6 else (second, first)
    trim = _material(rng, _choice(rng, TEXTURES[split]), trim_first, trim_second, size * rng.uniform(0.2, 0.5))
    return [main, trim]


def floor_material(rng: Generator, split: Split) -> Material:
    """Boards, tiles, carpets: muted colours."""
    warm = _hsv(rng, (0.03, 0.13), (0.15, 0.6), (0.3, 0.75))
    grey = _hsv(rng, (0.0, 1.0), (0.0, 0.25), (0.25, 0.8))
    first = warm if rng.random() < 0.6 else grey
    return _material(rng, _choice(rng, FLOORS[split]), first, _shaded(rng, first), rng.uniform(0.15, 0.5), (0.1, 0.5))


def meadow_material(rng: Generator, split: Split) -> Material:
    """Open ground: grass, sand, snow or paving."""
    texture = Texture.CLOUDS if split is Split.TRAIN else _choice(rng, FLOORS[split])
    grass, sand, snow = (
        ((0.2, 0.33), (0.3, 0.7), (0.25, 0.6)),
        ((0.08, 0.13), (0.2, 0.5), (0.5, 0.8)),
        ((0.5, 0.65), (0.0, 0.1), (0.7, 0.9)),
    )
    first = _hsv(rng, *(grass, sand, snow)[rng.choice(3, p=[0.5, 0.35, 0.15])])
    return _material(rng, texture, first, _shaded(rng, first), rng.uniform(0.2, 0.6), (0.3, 0.7))


def wall_material(rng: Generator, split: Split) -> Material:
    """Paint, paper or bare brick: pale colours."""
    first = _hsv(rng, (0.0, 1.0), (0.03, 0.35), (0.55, 0.92))
    return _material(rng, _choice(rng, WALLS[split]), first, _shaded(rng, first), rng.uniform(0.2, 0.7), (0.05, 0.25))


def ceiling_material(rng: Generator) -> Material:
    """Nearly white."""
    white = _hsv(rng, (0.0, 1.0), (0.0, 0.06), (0.85, 0.95))
    return _material(rng, Texture.PLAIN, white, white, 1.0, (0.0, 0.1))


def sky_material(rng: Generator) -> Material:
    """Zenith and horizon; the pattern comes from the height above the horizon, not from a texture."""
    hue = rng.uniform(0.54, 0.62)
    zenith = _linear(colorsys.hsv_to_rgb(hue, rng.uniform(0.2, 0.6), rng.uniform(0.6, 0.95)))
    horizon = _linear(colorsys.hsv_to_rgb(rng.uniform(0.05, 0.62), rng.uniform(0.02, 0.2), rng.uniform(0.85, 0.98)))
    return _material(rng, Texture.PLAIN, zenith, horizon, 1.0, (0.0, 0.0))


def _choice(rng: Generator, textures: tuple[Texture, ...]) -> Texture:
    return textures[rng.integers(len(textures))]


def _material(
    rng: Generator,
    texture: Texture,
    first: Colour,
    second: Colour,
    period: float,
    weathering: Limits = (0.05, 0.4),
) -> Material:
    x, y, z = (float(v) for v in rng.uniform(0, 5, 3))
    gloss = float(rng.choice([0.0, 0.08, 0.35], p=[0.4, 0.35, 0.25]))
    return Material(
        texture, first, second, float(period), (x, y, z), rng.uniform(*weathering), gloss, rng.uniform(12, 90)
    )


def _pair(rng: Generator) -> tuple[Colour, Colour]:
    """A colour for an object and one that goes with it."""
    vivid, grey = ((0.0, 1.0), (0.25, 0.85), (0.3, 0.9)), ((0.0, 1.0), (0.0, 0.1), (0.15, 0.9))
    first = _hsv(rng, *(vivid if rng.random() < 0.8 else grey))
    if rng.random() < 0.6:
        return first, _shaded(rng, first)
    return first, _hsv(rng, (0.0, 1.0), (0.1, 0.7), (0.3, 0.95))


def _shaded(rng: Generator, colour: Colour) -> Colour:
    """The same colour, darker or lighter."""
    factor = float(rng.choice([rng.uniform(0.35, 0.7), rng.uniform(1.3, 1.8)]))
    r, g, b = (min(0.92, factor * c) for c in colour)
    return r, g, b


def _hsv(rng: Generator, hue: Limits, saturation: Limits, value: Limits) -> Colour:
    h, s, v = (float(rng.uniform(*limits)) for limits in (hue, saturation, value))
    return _linear(colorsys.hsv_to_rgb(h, s, v))


def _linear(colour: Colour) -> Colour:
    r, g, b = (float(np.power(c, 2.2)) for c in colour)
    return r, g, b
