"""The solids that everything is built of, and where rays meet them in a solid's own frame.

Points and directions are component-first (`[3, rays]`), so that each component is contiguous. A solid's frame has its
origin inside the solid and z along its axis; sizes are in metres, except exponents and counts.
"""

import math
from enum import IntEnum

import torch
from jaxtyping import Float
from torch import Tensor

from mvsam.synthetic.marching import superquadric, superquadric_normal, torus, torus_normal
from mvsam.synthetic.vectors import dot, largest, length, nudged, unit

SIZES = 5
MISS = float("inf")
MOST_SIDES = 6

Rays = Float[Tensor, "3 rays"]
Sizes = Float[Tensor, "sizes rays"]
Interval = tuple[Float[Tensor, "*rays"], Float[Tensor, "*rays"]]  # entered after it is left: the ray misses


class Kind(IntEnum):
    """What a solid is, and what its sizes mean."""

    ELLIPSOID = 0  # three half axes
    BOX = 1  # three half sides
    FRUSTUM = 2  # radius at the bottom, radius at the top, half height
    PRISM = 3  # apothem at the bottom, apothem at the top, half height, number of sides (3 to 6)
    CAPSULE = 4  # radius, half length of the straight part
    CUP = 5  # radius at the bottom, radius at the top, half height, thickness: a frustum that is open above
    SUPERQUADRIC = 6  # three half axes, exponent across the axis, exponent along it (both in (0, 2])
    TORUS = 7  # radius of the ring, radius of the tube, clip: only y >= clip is there


def bound(kind: Kind, size: tuple[float, ...]) -> float:
    """Radius of a ball about the frame's origin that holds the solid."""
    match kind:
        case Kind.ELLIPSOID:
            return max(size[:3])
        case Kind.BOX | Kind.SUPERQUADRIC:
            return math.hypot(*size[:3])
        case Kind.FRUSTUM | Kind.CUP:
            return math.hypot(max(size[:2]), size[2])
        case Kind.PRISM:
            return math.hypot(max(size[:2]) / math.cos(math.pi / size[3]), size[2])
        case Kind.CAPSULE | Kind.TORUS:
            return size[0] + size[1]


def meet(kind: Kind, size: Sizes, o: Rays, d: Rays) -> Float[Tensor, "*rays"]:
    """Distance along each ray to where it enters the solid from outside; infinite where it never does.

    Args:
        size: the sizes of each ray's solid.
        o: starts of the rays, of any sign of distance: entries behind the start count too.
        d: unit directions.
    """
    match kind:
        case Kind.ELLIPSOID:
            return _entry(_ball(o / size[:3], d / size[:3]))
        case Kind.BOX:
            return _entry(_box(size, o, d))
        case Kind.FRUSTUM:
            return _entry(_frustum(*_taper(size), -size[2], size[2], o, d))
        case Kind.PRISM:
            return _entry(_prism(size, o, d))
        case Kind.CAPSULE:
            return _capsule(size, o, d)
        case Kind.CUP:
            return _cup(size, o, d)
        case Kind.SUPERQUADRIC:
            return superquadric(size, o, d, _box(size, o, d))
        case Kind.TORUS:
            half = torch.stack([size[0] + size[1], size[0] + size[1], size[1]])
            return torus(size, o, d, _box(half, o, d))


def normal(kind: Kind, size: Sizes, p: Rays) -> Rays:
    """Outward unit normals at points on the solid's surface."""
    match kind:
        case Kind.ELLIPSOID:
            return unit(p / size[:3] ** 2)
        case Kind.BOX:
            axis = largest(p.abs() - size[:3])[None]
            return torch.zeros_like(p).scatter(0, axis, p.gather(0, axis).sign())
        case Kind.FRUSTUM:
            return _frustum_normal(*_taper(size), size[2], p)
        case Kind.PRISM:
            return _prism_normal(size, p)
        case Kind.CAPSULE:
            return unit(torch.stack([p[0], p[1], p[2] - torch.minimum(torch.maximum(p[2], -size[1]), size[1])]))
        case Kind.CUP:
            return _cup_normal(size, p)
        case Kind.SUPERQUADRIC:
            return superquadric_normal(size, p)
        case Kind.TORUS:
            return torus_normal(size, p)


def _entry(interval: Interval) -> Float[Tensor, "*rays"]:
    entry, leave = interval
    return torch.where(entry < leave, entry, MISS)


def _roots(a: Tensor, b: Tensor, c: Tensor) -> Interval:
    """Both solutions of a t² + 2 b t + c = 0 in order, without cancellation; an empty interval where there are none."""
    a = nudged(a)
    discriminant = b * b - a * c
    q = -(b + torch.copysign(discriminant.clamp(min=0).sqrt(), b))
    first, second = q / a, c / nudged(q)
    empty = discriminant < 0
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    return torch.where(empty, MISS, low), torch.where(empty, -MISS, high)


def _ball(o: Rays, d: Rays) -> Interval:
    return _roots(dot(d, d), dot(o, d), dot(o, o) - 1)


def _box(size: Sizes, o: Rays, d: Rays) -> Interval:
    inverse = 1 / nudged(d)
    middle, reach = -o * inverse, size[:3] * inverse.abs()
    return (middle - reach).amax(0), (middle + reach).amin(0)


def _taper(size: Sizes) -> tuple[Tensor, Tensor]:
    """Radius at z = 0 and its growth with z."""
    return (size[0] + size[1]) / 2, (size[1] - size[0]) / (2 * size[2])


def _slab(low: Tensor, high: Tensor, o: Tensor, d: Tensor) -> Interval:
    inverse = 1 / nudged(d)
    first, second = (low - o) * inverse, (high - o) * inverse
    return torch.minimum(first, second), torch.maximum(first, second)


def _frustum(radius: Tensor, growth: Tensor, low: Tensor, high: Tensor, o: Rays, d: Rays) -> Interval:
    """A solid of revolution with radius `radius + growth * z`, between two heights."""
    here, grows = radius + growth * o[2], growth * d[2]
    a = d[0] ** 2 + d[1] ** 2 - grows**2
    b = o[0] * d[0] + o[1] * d[1] - here * grows
    c = o[0] ** 2 + o[1] ** 2 - here**2
    entry, leave = _roots(a, b, c)
    # A ray steeper than the cone is inside it before the first root and after the second, on one nappe each.
    steep = a < 0
    upwards = grows > 0
    from_, until = torch.where(upwards, leave, -MISS), torch.where(upwards, MISS, entry)
    entry, leave = torch.where(steep, from_, entry), torch.where(steep, until, leave)
    bottom, top = _slab(low, high, o[2], d[2])
    return torch.maximum(entry, bottom), torch.minimum(leave, top)


def _frustum_normal(radius: Tensor, growth: Tensor, half: Tensor, p: Rays) -> Rays:
    across = length(p[:2])
    side = (across - radius - growth * p[2]) / (1 + growth**2).sqrt()
    on_side = unit(torch.stack([p[0], p[1], -growth * across]))
    on_cap = torch.stack([torch.zeros_like(across), torch.zeros_like(across), p[2].sign()])
    return torch.where(side > p[2].abs() - half, on_side, on_cap)


def _sides(count: Tensor, index: int) -> tuple[Tensor, Tensor]:
    """Direction of a side's normal; sides beyond the count repeat the first ones."""
    angle = torch.remainder(torch.full_like(count, index), count) * (2 * math.pi / count)
    return angle.cos(), angle.sin()


def _prism(size: Sizes, o: Rays, d: Rays) -> Interval:
    radius, growth = _taper(size)
    entry, leave = _slab(-size[2], size[2], o[2], d[2])
    for index in range(MOST_SIDES):
        x, y = _sides(size[3], index)
        towards = nudged(x * d[0] + y * d[1] - growth * d[2])
        crossing = (radius - (x * o[0] + y * o[1] - growth * o[2])) / towards
        entry = torch.where(towards < 0, torch.maximum(entry, crossing), entry)
        leave = torch.where(towards < 0, leave, torch.minimum(leave, crossing))
    return entry, leave


def _prism_normal(size: Sizes, p: Rays) -> Rays:
    radius, growth = _taper(size)
    slope = (1 + growth**2).sqrt()
    best = p[2].abs() - size[2]
    found = torch.stack([torch.zeros_like(best), torch.zeros_like(best), p[2].sign()])
    for index in range(MOST_SIDES):
        x, y = _sides(size[3], index)
        above = (x * p[0] + y * p[1] - growth * p[2] - radius) / slope
        found = torch.where(above > best, torch.stack([x, y, -growth]) / slope, found)
        best = torch.maximum(above, best)
    return found


def _capsule(size: Sizes, o: Rays, d: Rays) -> Float[Tensor, "*rays"]:
    radius, half = size[0], size[1]
    endless, never = _roots(d[0] ** 2 + d[1] ** 2, o[0] * d[0] + o[1] * d[1], o[0] ** 2 + o[1] ** 2 - radius**2)
    missed = endless > never
    height = o[2] + d[2] * torch.where(missed, 0, endless)
    end = torch.copysign(half, height)
    to_end = torch.stack([o[0], o[1], o[2] - end])
    cap = _entry(_ball(to_end / radius, d / radius))
    return torch.where(missed, MISS, torch.where(height.abs() <= half, endless, cap))


def _cup(size: Sizes, o: Rays, d: Rays) -> Float[Tensor, "*rays"]:
    (radius, growth), half, wall = _taper(size), size[2], size[3]
    entry, leave = _frustum(radius, growth, -half, half, o, d)
    hollow, end = _frustum(radius - wall, growth, wall - half, wall + half, o, d)
    through_opening = (hollow < end) & (hollow <= entry) & (end > entry)
    distance = torch.where(through_opening, end, entry)
    return torch.where((entry < leave) & (distance < leave), distance, MISS)


def _cup_normal(size: Sizes, p: Rays) -> Rays:
    (radius, growth), half, wall = _taper(size), size[2], size[3]
    across = length(p[:2])
    between = (p[2] > 0.5 * wall - half) & (p[2] < half - 0.02 * wall)  # above the base, below the rim
    inside = between & (across < radius + growth * p[2] - 0.75 * wall)
    floor = inside & (p[2] < 1.25 * wall - half)
    inner = -_frustum_normal(radius, growth, torch.full_like(half, MISS), p)
    inner = torch.where(floor, torch.tensor([[0.0], [0.0], [1.0]], device=p.device), inner)
    return torch.where(inside, inner, _frustum_normal(radius, growth, half, p))
