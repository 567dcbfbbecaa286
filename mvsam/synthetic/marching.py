"""Solids without a closed-form meeting with a ray: a bounded number of steps finds it."""

import torch
from jaxtyping import Float
from torch import Tensor

from mvsam.synthetic.vectors import dot, length, unit

MISS = float("inf")
NEWTON_STEPS = 9
SPHERE_ROUNDS, SPHERE_STEPS = 4, 16  # after each round only rays that still move go on
TOLERANCE = 2e-3  # of the half axes, or metres
LEAST = 1e-6


def superquadric(
    size: Float[Tensor, "sizes rays"],
    o: Float[Tensor, "3 rays"],
    d: Float[Tensor, "3 rays"],
    box: tuple[Float[Tensor, "*rays"], Float[Tensor, "*rays"]],
) -> Float[Tensor, "*rays"]:
    """Where rays enter superquadrics with exponents up to 2, by Newton's method from their boxes.

    Such a solid is a unit ball of a norm. Along a ray a norm is convex, so that Newton's steps from outside never go
    past the surface, and a step that would turn back proves that the ray misses.
    """
    entry, leave = box
    o, d = o / size[:3], d / size[:3]
    distance = torch.where(entry < leave, entry, 0)
    missed = entry >= leave
    value = torch.zeros_like(distance)
    for _ in range(NEWTON_STEPS):
        value, gradient = _norm(size, o + d * distance)
        slope = dot(gradient, d)
        outside = value > 1 + 1e-6
        missed = missed | (outside & (slope >= 0)) | (distance > leave)
        step = torch.where(outside & ~missed, (value - 1) / slope.clamp(max=-LEAST), 0)
        distance = distance - step
    value, _ = _norm(size, o + d * distance)
    return torch.where(missed | (value > 1 + TOLERANCE), MISS, distance)


def superquadric_normal(size: Float[Tensor, "sizes rays"], p: Float[Tensor, "3 rays"]) -> Float[Tensor, "3 rays"]:
    """Outward unit normals at points of the surface."""
    _, gradient = _norm(size, p / size[:3])
    return unit(gradient / size[:3])


def _norm(
    size: Float[Tensor, "sizes rays"], p: Float[Tensor, "3 rays"]
) -> tuple[Float[Tensor, "*rays"], Float[Tensor, "3 rays"]]:
    """The norm whose unit ball the solid is (in units of its half axes), and its gradient."""
    across, along = 2 / size[3], 2 / size[4]
    x, y, z = p.abs().clamp(min=LEAST)
    px, py = x ** (across - 1), y ** (across - 1)
    ring = px * x + py * y
    lift = ring ** (along / across - 1)
    pz = z ** (along - 1)
    total = lift * ring + pz * z
    scale = total ** (1 / along - 1)
    gradient = torch.stack([scale * lift * px, scale * lift * py, scale * pz]) * p.sign()
    return scale * total, gradient


def torus(
    size: Float[Tensor, "sizes rays"],
    o: Float[Tensor, "3 rays"],
    d: Float[Tensor, "3 rays"],
    box: tuple[Float[Tensor, "*rays"], Float[Tensor, "*rays"]],
) -> Float[Tensor, "*rays"]:
    """Where rays enter clipped tori: steps as long as the distance to the surface, then two of Newton's."""
    entry, leave = box
    distance = torch.where(entry < leave, entry, 0)
    going = (entry < leave).nonzero()[:, 0]
    for _ in range(SPHERE_ROUNDS):
        sizes, starts, ways = (part.index_select(1, going) for part in (size, o, d))
        reached, end = distance.index_select(0, going), leave.index_select(0, going)
        gap = torch.zeros_like(reached)
        for _ in range(SPHERE_STEPS):
            gap, _ = _torus_distance(sizes, starts + ways * reached)
            reached = torch.where(reached < end, reached + gap, reached)
        distance.index_copy_(0, going, reached)
        going = going[(reached < end) & (gap > TOLERANCE / 10)]
    missed = (entry >= leave) | (distance > leave)
    for _ in range(2):
        gap, outward = _torus_distance(size, o + d * distance)
        slope = dot(outward, d)
        distance = distance + torch.where(slope < -0.05, -gap / slope.clamp(max=-0.05), 0)
    gap, _ = _torus_distance(size, o + d * distance)
    return torch.where(missed | (gap > TOLERANCE), MISS, distance)


def torus_normal(size: Float[Tensor, "sizes rays"], p: Float[Tensor, "3 rays"]) -> Float[Tensor, "3 rays"]:
    """Outward unit normals at points of the surface."""
    return _torus_distance(size, p)[1]


def _torus_distance(
    size: Float[Tensor, "sizes rays"], p: Float[Tensor, "3 rays"]
) -> tuple[Float[Tensor, "*rays"], Float[Tensor, "3 rays"]]:
    """Signed distance to the clipped torus and the direction in which it grows."""
    across = length(p[:2]).clamp(min=LEAST)
    off_ring = across - size[0]
    to_ring = (off_ring * off_ring + p[2] * p[2]).sqrt().clamp(min=LEAST)
    tube, cut = to_ring - size[1], size[2] - p[1]
    from_tube = torch.stack([off_ring * p[0] / across, off_ring * p[1] / across, p[2]]) / to_ring
    from_cut = torch.tensor([[0.0], [-1.0], [0.0]], device=p.device, dtype=p.dtype)
    return torch.maximum(tube, cut), torch.where(cut > tube, from_cut, from_tube)
