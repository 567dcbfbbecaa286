"""What is around the objects: furniture, rugs and pictures, which are background, and lamps."""

import numpy as np
import torch
from numpy.random import Generator

from mvsam.synthetic.arrays import LAMPS, Setting, Surroundings
from mvsam.synthetic.bodies import Part, about_z
from mvsam.synthetic.solids import Kind


def decorations(rng: Generator, extent: np.ndarray, cluster: float) -> list[Part]:
    """A rug, pictures, and low furniture along the walls: background that is not flat. Paint 1 is colourful."""
    found = rug(rng, cluster) if rng.random() < 0.4 else []
    for _ in range(int(rng.integers(1, 6))):
        wall, side = int(rng.integers(2)), float(rng.choice([-1, 1]))
        wide, tall, deep = rng.uniform(0.25, 0.7), rng.uniform(0.2, 0.45), rng.uniform(0.01, 0.03)
        height = rng.uniform(1.0, 1.5)
        if rng.random() < 0.35:  # a cupboard
            tall, deep = rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.2)
            height = tall
        centre, size = np.zeros(3), np.zeros(3)
        centre[wall], size[wall] = side * (extent[wall] - deep), deep
        centre[1 - wall], size[1 - wall] = rng.uniform(-0.7, 0.7) * extent[1 - wall], wide
        centre[2], size[2] = height, tall
        found.append(Part(Kind.BOX, tuple(size), (centre[0], centre[1], centre[2]), paint=1))
    return found


def rug(rng: Generator, cluster: float) -> list[Part]:
    """A flat carpet under the objects; it is part of the background."""
    x, y = rng.uniform(-0.3, 0.3, 2)
    if rng.random() < 0.5:
        r = rng.uniform(0.6, 1.1) * cluster
        return [Part(Kind.FRUSTUM, (r, r, 0.003), (x, y, 0.003))]
    turn = about_z(float(rng.uniform(0, np.pi)))
    half = (rng.uniform(0.6, 1.2) * cluster, rng.uniform(0.5, 0.9) * cluster, 0.003)
    return [Part(Kind.BOX, half, (x, y, 0.003), turn)]


def light(rng: Generator, setting: Setting, extent: np.ndarray) -> Surroundings:
    """One or two lamps: under a ceiling, or a sun and a weak second light from the sky."""
    count = int(rng.integers(1, LAMPS + 1))
    lamp, colour, radius = np.zeros((LAMPS, 3)), np.zeros((LAMPS, 3)), np.zeros(LAMPS)
    for index in range(count):
        warmth = rng.uniform(-0.12, 0.2)
        tint = np.array([1 + warmth, 1.0, 1 - warmth])
        strength = rng.uniform(0.6, 1.0) if index == 0 else rng.uniform(0.15, 0.5)
        angle = rng.uniform(0, 2 * np.pi)
        if setting is Setting.ROOM:
            lamp[index] = [*(extent[:2] * 0.75 * np.array([np.cos(angle), np.sin(angle)])), 0.93 * extent[2]]
            radius[index] = rng.uniform(0.02, 0.07)
        else:
            climb = rng.uniform(0.5, 1.25)
            lamp[index] = 15 * np.array([np.cos(climb) * np.cos(angle), np.cos(climb) * np.sin(angle), np.sin(climb)])
            radius[index] = rng.uniform(0.1, 0.3)
        colour[index] = tint * strength
    level = rng.uniform(0.18, 0.4)
    ambient = level * np.array([[0.55, 0.5, 0.45], [0.95, 1.0, 1.08]])
    arrays = (extent, lamp, colour, radius, ambient)
    return Surroundings(torch.tensor([int(setting)]), *(torch.from_numpy(a.astype(np.float32))[None] for a in arrays))
