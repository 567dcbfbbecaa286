"""What each ray meets first. All rays of a group leave from about one place: a camera's centre, or a lamp.

Rays are component-first: `[3, groups * rays]`. Only pairs of a ray and a solid whose bounding ball it may meet are
looked at, and each kind of solid is met by all of its pairs at once.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mvsam.synthetic.arrays import Ground, Setting, Solids, Surroundings
from mvsam.synthetic.solids import MISS, Kind, meet, normal
from mvsam.synthetic.vectors import dot, into, nudged, out_of

NEAREST = 1e-4  # metres: what is met closer than this is where the ray starts
LOOSE = 2e-3  # metres added to bounding balls against rounding


class Hits(NamedTuple):
    """Where rays end."""

    distance: Float[Tensor, "*rays"]
    solid: Int[Tensor, "*rays"]  # index into the groups' flattened solids, -1 for the surroundings


class Surfaces(NamedTuple):
    """What the ends of rays look like from near by."""

    normal: Float[Tensor, "3 rays"]  # world frame
    local: Float[Tensor, "3 rays"]  # the point in its solid's frame
    local_normal: Float[Tensor, "3 rays"]
    material: Int[Tensor, "*rays"]  # index within its world
    object: Int[Tensor, "*rays"]


class Bundle(NamedTuple):
    """Groups of rays and the solids that each group may meet."""

    solids: Solids  # a row for each group
    apex: Float[Tensor, "groups 3"]
    blur: Float[Tensor, "*groups"]  # how far from the apex rays may start
    origin: Float[Tensor, "3 rays"]
    direction: Float[Tensor, "3 rays"]  # unit length


def first_hits(bundle: Bundle) -> Hits:
    """The nearest solid on each ray; distance infinite where there is none."""
    ray, solid = _candidates(bundle)
    distance = _distances(bundle, ray, solid)
    nearest = torch.full_like(bundle.direction[0], MISS).scatter_reduce(0, ray, distance, "amin")
    winner = (distance == nearest.index_select(0, ray)) & distance.isfinite()
    index = torch.where(winner, solid, -1)
    found = torch.full_like(nearest, -1, dtype=torch.int64).scatter_reduce(0, ray, index, "amax")
    return Hits(nearest, found)


def blocked(bundle: Bundle, reach: Float[Tensor, "*rays"]) -> Bool[Tensor, "*rays"]:
    """Whether a solid is met before `reach`; rays of zero direction meet nothing."""
    ray, solid = _candidates(bundle)
    distance = _distances(bundle, ray, solid)
    shadow = torch.zeros_like(reach, dtype=torch.bool)
    shadow[ray[distance < reach.index_select(0, ray)]] = True
    return shadow


def surroundings_hit(
    around: Surroundings, origin: Float[Tensor, "3 groups rays"], direction: Float[Tensor, "3 groups rays"]
) -> tuple[Float[Tensor, "groups rays"], Float[Tensor, "3 groups rays"], Int[Tensor, "groups rays"]]:
    """Distance, normal and material of what is behind all solids: finite for every ray from inside."""
    half = around.extent.T[:, :, None] * torch.tensor([1.0, 1.0, 0.5], device=origin.device)[:, None, None]
    start = torch.stack([origin[0], origin[1], origin[2] - half[2]])
    inverse = 1 / nudged(direction)
    leave = half * inverse.abs() - start * inverse
    wall, axis = leave.min(0)
    faces = torch.zeros_like(direction).scatter(0, axis[None], -direction.gather(0, axis[None]).sign())
    side = torch.where(direction[2] > 0, int(Ground.CEILING), int(Ground.FLOOR))
    side = torch.where(axis == 2, side, int(Ground.WALL))

    radius = around.extent[:, :1]
    b = dot(origin, direction)
    dome = -b + (b * b - dot(origin, origin) + radius**2).clamp(min=0).sqrt()
    ground = torch.where(direction[2] < 0, -origin[2] * inverse[2], MISS)
    below = ground < dome
    up = torch.zeros_like(direction)
    up[2] = 1
    inwards = -(origin + direction * dome) / radius
    is_open = (around.setting == Setting.OPEN)[:, None]
    distance = torch.where(is_open, torch.minimum(ground, dome), wall)
    facing = torch.where(is_open, torch.where(below, up, inwards), faces)
    material = torch.where(is_open, torch.where(below, int(Ground.FLOOR), int(Ground.WALL)), side)
    return distance, facing, material


def surfaces(bundle: Bundle, hits: Hits, p: Float[Tensor, "3 rays"], behind: Surfaces) -> Surfaces:
    """Normals and local coordinates where solids were met; elsewhere those of the surroundings."""
    flat = Solids(*(part.flatten(0, 1) for part in bundle.solids))
    out = Surfaces(*(part.clone() for part in behind))
    kinds = torch.where(hits.solid >= 0, flat.kind[hits.solid.clamp(min=0)], -1)
    for kind in Kind:
        ray = (kinds == kind).nonzero()[:, 0]
        if not len(ray):
            continue
        solid = hits.solid.index_select(0, ray)
        turn = flat.turn.flatten(1).T.index_select(1, solid)
        local = into(turn, p.index_select(1, ray) - flat.centre.T.index_select(1, solid))
        facing = normal(kind, flat.size.T.index_select(1, solid), local)
        out.normal.index_copy_(1, ray, out_of(turn, facing))
        out.local.index_copy_(1, ray, local)
        out.local_normal.index_copy_(1, ray, facing)
        out.material.index_copy_(0, ray, flat.material.index_select(0, solid))
        out.object.index_copy_(0, ray, flat.object.index_select(0, solid))
    return out


def _candidates(bundle: Bundle) -> tuple[Int[Tensor, "*pairs"], Int[Tensor, "*pairs"]]:
    """Rays and solids that may meet: the ray passes the solid's ball, as seen from the apex."""
    groups, solids = bundle.solids.kind.shape
    towards = bundle.solids.centre - bundle.apex[:, None]
    ball = bundle.solids.bound + bundle.blur[:, None] + LOOSE
    beside = (towards**2).sum(-1) - ball**2  # squared length of the tangent
    least = torch.where(beside > 0, beside.clamp(min=0).sqrt(), -MISS)
    least = torch.where(bundle.solids.bound < 0, MISS, least)
    rays = bundle.direction.unflatten(1, (groups, -1)).permute(1, 2, 0)
    may = torch.bmm(rays, towards.transpose(1, 2)) >= least[:, None]
    group, ray, solid = may.nonzero(as_tuple=True)
    return group * rays.shape[1] + ray, group * solids + solid


def _distances(bundle: Bundle, ray: Int[Tensor, "*pairs"], solid: Int[Tensor, "*pairs"]) -> Float[Tensor, "*pairs"]:
    flat = Solids(*(part.flatten(0, 1) for part in bundle.solids))
    distance = torch.full_like(bundle.direction[0, :1], MISS).repeat(len(ray))
    kinds = flat.kind.index_select(0, solid)
    turns, centres, sizes = flat.turn.flatten(1).T.contiguous(), flat.centre.T.contiguous(), flat.size.T.contiguous()
    for kind in Kind:
        pair = (kinds == kind).nonzero()[:, 0]
        if not len(pair):
            continue
        r, s = ray.index_select(0, pair), solid.index_select(0, pair)
        turn = turns.index_select(1, s)
        o = into(turn, bundle.origin.index_select(1, r) - centres.index_select(1, s))
        d = into(turn, bundle.direction.index_select(1, r))
        # Starting where the ray passes closest to the solid keeps single precision where it matters.
        skip = -dot(o, d)
        found = meet(kind, sizes.index_select(1, s), o + d * skip, d) + skip
        distance.index_copy_(0, pair, torch.where(found > NEAREST, found, MISS))
    return distance
