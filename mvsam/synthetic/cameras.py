"""Cameras around and through a scene, looking at it. Poses are camera to world with OpenCV axes; world z is up."""

from enum import Enum

import numpy as np
from numpy.random import Generator

from mvsam.synthetic.arrays import BACKGROUND, Setting
from mvsam.synthetic.layout import Placed
from mvsam.synthetic.world import World

CLEARANCE = 0.25  # metres between a camera and any object
TRIES = 200
CLOSENESS = (0.2, 0.9)  # 0: all objects are the subject; 1: one of them


class Baseline(Enum):
    """How far apart the views are: the degrees of the arc that they are spread over."""

    NARROW = (8, 25)
    MEDIUM = (25, 80)
    WIDE = (80, 220)
    ANY = (8, 220)


def photograph_from(
    rng: Generator, world: World, views: int, height: int, width: int, baseline: Baseline
) -> tuple[np.ndarray, np.ndarray]:
    """Draws the cameras of one scene.

    Returns:
        Poses float32 [views, 4, 4] and intrinsics float32 [views, 3, 3] in pixels, whose centres are at halves.
    """
    focus, spread = _subject(rng, world.placed)
    low, high = np.log(baseline.value)
    arc = np.radians(np.exp(rng.uniform(low, high)))
    start, sense = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1])
    field = np.radians(rng.uniform(42, 72))  # across the longer side
    near = spread / np.sin(field / 2) * rng.uniform(0.62, 0.98)
    tilt = rng.uniform(0.15, 0.75)  # above the horizon
    angles = start + sense * arc * (np.linspace(-0.5, 0.5, views) if views > 1 else np.zeros(1))
    poses, intrinsics = [], []
    for angle in angles:
        position = _position(rng, world, focus, float(angle), near, tilt, arc)
        target = focus + rng.normal(0, 0.13 * spread, 3) * [1, 1, 0.5]
        poses.append(_looking(position, target, roll=rng.normal(0, 0.05)))
        zoom = 1 / np.tan(field / 2) * rng.uniform(0.88, 1.2) / 2 * max(height, width)
        centre = np.array([width, height]) * (0.5 + rng.normal(0, 0.008, 2))
        intrinsics.append([[zoom, 0, centre[0]], [0, zoom, centre[1]], [0, 0, 1]])
    return np.stack(poses).astype(np.float32), np.array(intrinsics, np.float32)


def _subject(rng: Generator, placed: list[Placed]) -> tuple[np.ndarray, float]:
    """What is photographed: anything between all objects together and one of them. Its middle [3] and its radius."""
    middle = np.mean([p.middle for p in placed], axis=0)
    radius = max(float(np.linalg.norm(p.middle - middle)) + 0.7 * p.reach for p in placed)
    one = placed[rng.integers(len(placed))]
    closeness = rng.uniform(*CLOSENESS)
    return middle + closeness * (one.middle - middle), float(radius + closeness * (0.7 * one.reach - radius))


def _position(
    rng: Generator, world: World, focus: np.ndarray, angle: float, near: float, tilt: float, arc: float
) -> np.ndarray:
    """A place inside the room, outside the objects, near the wanted one."""
    extent = world.surroundings.extent[0].numpy()
    room = int(world.surroundings.setting[0]) == Setting.ROOM
    for attempt in range(TRIES):
        loose = 1 + attempt / 40
        a = angle + loose * rng.normal(0, 0.04 * arc)
        distance = near * (1 + rng.normal(0, 0.08 * loose))
        up = np.clip(tilt + loose * rng.normal(0, 0.08), 0.06, 1.2)
        position = focus + distance * np.array([np.cos(a) * np.cos(up), np.sin(a) * np.cos(up), np.sin(up)])
        if room:
            position = np.clip(position, [-extent[0] + 0.15, -extent[1] + 0.15, 0.12], extent - [0.15, 0.15, 0.2])
        position[2] = max(position[2], 0.12)
        if _outside_furniture(position, world) and all(_clear(position, p) for p in world.placed):
            return position
    return np.array([0.4, 0.3, 0.9 * extent[2]])  # above everything


def _clear(position: np.ndarray, placed: Placed) -> bool:
    return float(np.linalg.norm(position - placed.middle)) > placed.reach + CLEARANCE


def _outside_furniture(position: np.ndarray, world: World) -> bool:
    solids = world.solids
    background = solids.object[0] == BACKGROUND
    offset = np.abs(position - solids.centre[0][background].numpy())
    return not bool((offset < solids.size[0][background][:, :3].numpy() + 0.1).all(-1).any())


def _looking(position: np.ndarray, target: np.ndarray, roll: float) -> np.ndarray:
    """Pose [4, 4] of a camera at a position that looks at a target."""
    forward = target - position
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right = right / max(float(np.linalg.norm(right)), 1e-6)
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    pose = np.eye(4)
    pose[:3] = np.stack([c * right + s * down, c * down - s * right, forward, position], axis=1)
    return pose
