"""Draws a scene before it is photographed, and packs it into arrays."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from mvsam.synthetic.arrays import BACKGROUND, Ground, Materials, Setting, Solids, Surroundings, Worlds
from mvsam.synthetic.bodies import UPRIGHT, Part
from mvsam.synthetic.interiors import decorations, light, rug
from mvsam.synthetic.layout import Placed, arrange
from mvsam.synthetic.materials import (
    Material,
    ceiling_material,
    floor_material,
    meadow_material,
    object_materials,
    sky_material,
    wall_material,
)
from mvsam.synthetic.solids import SIZES
from mvsam.synthetic.splits import Split


@dataclass(frozen=True)
class World:
    """One scene's solids, materials and surroundings, each with a first axis of length 1."""

    placed: list[Placed]
    solids: Solids
    materials: Materials
    surroundings: Surroundings


def build(rng: Generator, split: Split) -> World:
    """Draws a world."""
    placed = arrange(rng, split)
    setting = Setting.OPEN if rng.random() < 0.35 else Setting.ROOM
    cluster = max(float(np.hypot(*p.position[:2])) + p.reach for p in placed)
    materials = _ground(rng, split, setting)
    parts: list[tuple[Part, np.ndarray, np.ndarray, int, int]] = []  # solid, its object's place, object, material
    for index, one in enumerate(placed):
        size = min(2 * max(one.body.half), one.body.height)
        shared = [materials[Ground.FLOOR], *materials[Ground.CEILING + 1 :][-2:]]
        pair = object_materials(rng, split, size, shared)
        parts += [(p, one.turn, one.position, index, len(materials) + p.paint) for p in one.body.parts]
        materials += pair
    if setting is Setting.ROOM:
        extent = np.array([cluster + rng.uniform(0.9, 2.0), cluster + rng.uniform(0.9, 2.0), rng.uniform(2.0, 3.0)])
        furniture = decorations(rng, extent, cluster)
    else:
        extent = np.full(3, cluster + rng.uniform(3.0, 6.0))
        furniture = rug(rng, cluster) if rng.random() < 0.3 else []
    for part in furniture:
        parts.append((part, UPRIGHT, np.zeros(3), BACKGROUND, len(materials)))
        materials.append(floor_material(rng, split) if part.paint == 0 else object_materials(rng, split, 0.6, [])[0])
    return World(placed, _solids(parts), _pack(materials), light(rng, setting, extent))


def batch(worlds: list[World], device: torch.device) -> Worlds:
    """Pads worlds to a common number of solids and materials."""
    most_solids = max(w.solids.kind.shape[1] for w in worlds)
    most_materials = max(w.materials.texture.shape[1] for w in worlds)
    return Worlds(
        Solids(*(_stack([w.solids[i] for w in worlds], most_solids, device) for i in range(len(Solids._fields)))),
        Materials(
            *(_stack([w.materials[i] for w in worlds], most_materials, device) for i in range(len(Materials._fields)))
        ),
        Surroundings(
            *(torch.cat([w.surroundings[i] for w in worlds]).to(device) for i in range(len(Surroundings._fields)))
        ),
    )


def _stack(parts: list[Tensor], most: int, device: torch.device) -> Tensor:
    """Padding is -1: a negative bound, which no ray meets."""
    padded = torch.full((len(parts), most, *parts[0].shape[2:]), -1, dtype=parts[0].dtype)
    for row, part in zip(padded, parts, strict=True):
        row[: part.shape[1]] = part[0]
    return padded.to(device)


def _ground(rng: Generator, split: Split, setting: Setting) -> list[Material]:
    if setting is Setting.OPEN:
        return [meadow_material(rng, split), sky_material(rng), ceiling_material(rng)]
    return [floor_material(rng, split), wall_material(rng, split), ceiling_material(rng)]


def _solids(parts: list[tuple[Part, np.ndarray, np.ndarray, int, int]]) -> Solids:
    size = np.zeros((len(parts), SIZES))
    for row, (part, *_) in zip(size, parts, strict=True):
        row[: len(part.size)] = part.size
    return Solids(
        torch.tensor([[part.kind for part, *_ in parts]]),
        _tensor(size)[None],
        _tensor(np.stack([turn @ part.centre + position for part, turn, position, _, _ in parts]))[None],
        _tensor(np.stack([turn @ part.turn for part, turn, *_ in parts]))[None],
        _tensor(np.array([part.bound for part, *_ in parts]))[None],
        torch.tensor([[index for *_, index, _ in parts]]),
        torch.tensor([[material for *_, material in parts]]),
    )


def _pack(materials: list[Material]) -> Materials:
    return Materials(
        torch.tensor([[m.texture for m in materials]]),
        _tensor(np.array([[m.first, m.second] for m in materials]))[None],
        _tensor(np.array([m.period for m in materials]))[None],
        _tensor(np.array([m.phase for m in materials]))[None],
        _tensor(np.array([[m.weathering, m.gloss, m.sharpness] for m in materials]))[None],
    )


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))
