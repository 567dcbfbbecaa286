"""Rays meet solids where marching along them finds the inside of an implicit function."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from mvsam.synthetic.solids import SIZES, Kind, bound, meet, normal

STEPS = 3000
CASES = [
    (Kind.ELLIPSOID, (0.3, 0.2, 0.5)),
    (Kind.BOX, (0.3, 0.1, 0.5)),
    (Kind.FRUSTUM, (0.3, 0.3, 0.4)),
    (Kind.FRUSTUM, (0.3, 0.005, 0.4)),
    (Kind.FRUSTUM, (0.1, 0.4, 0.2)),
    (Kind.PRISM, (0.3, 0.3, 0.2, 6.0)),
    (Kind.PRISM, (0.3, 0.01, 0.4, 4.0)),
    (Kind.PRISM, (0.2, 0.1, 0.3, 3.0)),
    (Kind.PRISM, (0.2, 0.3, 0.3, 5.0)),
    (Kind.CAPSULE, (0.2, 0.4)),
    (Kind.CUP, (0.2, 0.3, 0.25, 0.03)),
    (Kind.SUPERQUADRIC, (0.3, 0.2, 0.4, 0.3, 0.5)),
    (Kind.SUPERQUADRIC, (0.3, 0.3, 0.4, 1.8, 1.5)),
    (Kind.TORUS, (0.3, 0.1, -1.0)),
    (Kind.TORUS, (0.3, 0.08, 0.05)),
]
IDS = [f"{kind.name.lower()}{index}" for index, (kind, _) in enumerate(CASES)]


def implicit(kind: Kind, size: tuple[float, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of points [..., 3] that is negative inside the solid; not always a distance."""

    def frustum(p: np.ndarray, r0: float, r1: float, low: float, high: float) -> np.ndarray:
        radius = r0 + (r1 - r0) * (p[..., 2] - low) / (high - low)
        return np.maximum.reduce([np.hypot(p[..., 0], p[..., 1]) - radius, low - p[..., 2], p[..., 2] - high])

    def prism(p: np.ndarray) -> np.ndarray:
        r0, r1, h, sides = size
        radius = r0 + (r1 - r0) * (p[..., 2] + h) / (2 * h)
        angles = 2 * np.pi * np.arange(int(sides)) / sides
        faces = [np.cos(a) * p[..., 0] + np.sin(a) * p[..., 1] - radius for a in angles]
        return np.maximum.reduce([*faces, np.abs(p[..., 2]) - h])

    def cup(p: np.ndarray) -> np.ndarray:
        r0, r1, h, wall = size
        grow = (r1 - r0) / (2 * h)
        hollow = frustum(p, r0 + grow * wall - wall, r1 + grow * wall - wall, wall - h, wall + h)
        return np.maximum(frustum(p, r0, r1, -h, h), -hollow)

    def superquadric(p: np.ndarray) -> np.ndarray:
        x, y, z = np.moveaxis(np.abs(p) / size[:3], -1, 0)
        return (x ** (2 / size[3]) + y ** (2 / size[3])) ** (size[3] / size[4]) + z ** (2 / size[4]) - 1

    def torus(p: np.ndarray) -> np.ndarray:
        ring = np.hypot(p[..., 0], p[..., 1]) - size[0]
        return np.maximum(np.hypot(ring, p[..., 2]) - size[1], size[2] - p[..., 1])

    def capsule(p: np.ndarray) -> np.ndarray:
        end = np.clip(p[..., 2], -size[1], size[1])
        return np.linalg.norm(np.stack([p[..., 0], p[..., 1], p[..., 2] - end], -1), axis=-1) - size[0]

    functions: dict[Kind, Callable[[np.ndarray], np.ndarray]] = {
        Kind.ELLIPSOID: lambda p: np.linalg.norm(p / size, axis=-1) - 1,
        Kind.BOX: lambda p: (np.abs(p) - size).max(-1),
        Kind.FRUSTUM: lambda p: frustum(p, size[0], size[1], -size[2], size[2]),
        Kind.PRISM: prism,
        Kind.CAPSULE: capsule,
        Kind.CUP: cup,
        Kind.SUPERQUADRIC: superquadric,
        Kind.TORUS: torus,
    }
    return functions[kind]


def repeated(size: tuple[float, ...], count: int) -> Tensor:
    padded = torch.zeros(SIZES)
    padded[: len(size)] = torch.tensor(size)
    return padded[:, None].expand(SIZES, count)


def rays_towards(radius: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts outside a ball and unit directions into it; every tenth runs along an axis through a round number."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=(count, 3))
    start *= 1.5 * radius / np.linalg.norm(start, axis=1, keepdims=True)
    direction = rng.uniform(-0.7, 0.7, (count, 3)) * radius - start
    for index, (axis, sign) in enumerate(
        itertools.islice(itertools.cycle(itertools.product(range(3), (1, -1))), count)
    ):
        if index % 10 == 0:
            start[index] = np.round(start[index] * 10) / 10 * (rng.random(3) < 0.6)
            start[index, axis], direction[index] = -1.5 * sign * radius, 0
            direction[index, axis] = sign
    return start, direction / np.linalg.norm(direction, axis=1, keepdims=True)


@pytest.mark.parametrize(("kind", "size"), CASES, ids=IDS)
def test_rays_meet_a_solid_where_marching_does(kind: Kind, size: tuple[float, ...]) -> None:
    inside, radius = implicit(kind, size), bound(kind, size)
    start, direction = rays_towards(radius, 600)
    found = meet(kind, repeated(size, 600), torch.tensor(start.T).float(), torch.tensor(direction.T).float()).numpy()
    assert not np.isnan(found).any()

    t = np.linspace(0, 3 * radius, STEPS)
    values = inside(start[:, None] + direction[:, None] * t[:, None])
    within = values < 0
    first = np.where(within.any(1), t[within.argmax(1)], np.inf)
    met = np.isfinite(found)
    assert 0.2 < met.mean() < 1
    # Marching overlooks what is thinner than a step, and a tolerance keeps rays that graze.
    deep = within.sum(1) > 25
    assert met[deep].all()
    assert (values[met].min(1) < 0.01).all()
    step = t[1] - t[0]
    error = np.abs(found[deep] - first[deep])
    assert np.quantile(error, 0.98) < 1.5 * step and error.max() < 0.05 * radius
    on_surface = inside(start[met] + direction[met] * found[met, None])
    assert np.quantile(np.abs(on_surface), 0.98) < 1e-3


@pytest.mark.parametrize(("kind", "size"), CASES, ids=IDS)
def test_normals_point_out_of_the_solid(kind: Kind, size: tuple[float, ...]) -> None:
    inside, radius = implicit(kind, size), bound(kind, size)
    start, direction = rays_towards(radius, 600)
    found = meet(kind, repeated(size, 600), torch.tensor(start.T).float(), torch.tensor(direction.T).float()).numpy()
    met = np.isfinite(found)
    p = start[met] + direction[met] * found[met, None]
    normals = normal(kind, repeated(size, len(p)), torch.tensor(p.T).float()).numpy().T
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
    gradient = np.stack([inside(p + h) - inside(p - h) for h in 1e-5 * np.eye(3)], axis=-1)
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True) + 1e-12
    aligned = (gradient * normals).sum(1)
    assert np.mean(aligned > 0.98) > 0.95, "all but the points on edges"
    assert ((direction[met] * normals).sum(1) < 0.2).all(), "a surface that is seen faces the ray"


@pytest.mark.parametrize(("kind", "size"), CASES, ids=IDS)
def test_bounds_hold_their_solids(kind: Kind, size: tuple[float, ...]) -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (100_000, 3))
    held = np.linalg.norm(points, axis=1)[implicit(kind, size)(points) < 0]
    assert len(held) and held.max() <= bound(kind, size)
