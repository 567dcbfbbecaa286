"""Families of objects in training scenes: a function draws one member; sizes in metres, as in a toy world."""

import numpy as np
from numpy.random import Generator

from mvsam.synthetic.bodies import ALONG_X, ALONG_Y, HANDLE, SKY, Body, Part, Room, about_z, legs_under, top
from mvsam.synthetic.solids import Kind


def ball(rng: Generator) -> Body:
    r = rng.uniform(0.1, 0.28)
    return Body((Part(Kind.ELLIPSOID, (r, r, r), (0, 0, r)),), (r, r), 2 * r)


def egg(rng: Generator) -> Body:
    a, b, c = rng.uniform(0.1, 0.32), rng.uniform(0.1, 0.18), rng.uniform(0.08, 0.3)
    return Body((Part(Kind.ELLIPSOID, (a, b, c), (0, 0, c)),), (a, b), 2 * c)


def block(rng: Generator) -> Body:
    a, b, c = rng.uniform(0.08, 0.4), rng.uniform(0.07, 0.2), rng.uniform(0.06, 0.3)
    return Body((Part(Kind.BOX, (a, b, c), (0, 0, c)),), (a, b), 2 * c, (top(min(a, b), 2 * c),))


def can(rng: Generator) -> Body:
    r, h = rng.uniform(0.09, 0.2), rng.uniform(0.08, 0.3)
    if rng.random() < 0.3:
        return Body((Part(Kind.FRUSTUM, (r, r, h), (0, 0, r), ALONG_X),), (h, r), 2 * r)
    return Body((Part(Kind.FRUSTUM, (r, r, h), (0, 0, h)),), (r, r), 2 * h, (top(0.8 * r, 2 * h),))


def cone(rng: Generator) -> Body:
    r, h = rng.uniform(0.12, 0.25), rng.uniform(0.12, 0.32)
    return Body((Part(Kind.FRUSTUM, (r, rng.choice([0.004, 0.4 * r]), h), (0, 0, h)),), (r, r), 2 * h)


def ring(rng: Generator) -> Body:
    big = rng.uniform(0.14, 0.28)
    small = big * rng.uniform(0.2, 0.4)
    size, reach = (big, small, -1.0), big + small
    if rng.random() < 0.4:
        return Body((Part(Kind.TORUS, size, (0, 0, reach), ALONG_Y),), (reach, small), 2 * reach)
    inside = Room(0.9 * (big - small), 0.0, SKY)
    return Body((Part(Kind.TORUS, size, (0, 0, small)),), (reach, reach), 2 * small, (inside,))


def cushion(rng: Generator) -> Body:
    a, b, c = rng.uniform(0.14, 0.32), rng.uniform(0.12, 0.26), rng.uniform(0.07, 0.22)
    e = (rng.uniform(0.25, 0.9), rng.uniform(0.25, 0.9))
    return Body((Part(Kind.SUPERQUADRIC, (a, b, c, *e), (0, 0, c)),), (a, b), 2 * c)


def nut(rng: Generator) -> Body:
    r, h, sides = rng.uniform(0.1, 0.22), rng.uniform(0.06, 0.22), float(rng.choice([5, 6]))
    return Body((Part(Kind.PRISM, (r, r, h, sides), (0, 0, h)),), (1.1 * r, 1.1 * r), 2 * h, (top(0.8 * r, 2 * h),))


def plank(rng: Generator) -> Body:
    thin, wide, half = rng.uniform(0.02, 0.04), rng.uniform(0.05, 0.11), rng.uniform(0.35, 0.6)
    return Body((Part(Kind.BOX, (thin, wide, half), (0, 0, half)),), (thin, wide), 2 * half, leans=True)


def table(rng: Generator) -> Body:
    x, y, h = rng.uniform(0.25, 0.5), rng.uniform(0.22, 0.36), rng.uniform(0.3, 0.5)
    slab = 0.025
    rooms = (top(0.9 * min(x, y), h), Room(0.65 * min(x, y), 0.0, h - 2 * slab))
    if rng.random() < 0.4:
        r = min(x, y)
        board = Part(Kind.FRUSTUM, (r, r, slab), (0, 0, h - slab))
        foot = Part(Kind.FRUSTUM, (0.6 * r, 0.5 * r, 0.02), (0, 0, 0.02), paint=1)
        pole = Part(Kind.FRUSTUM, (0.04, 0.04, h / 2 - slab), (0, 0, h / 2 - slab), paint=1)
        return Body((board, foot, pole), (r, r), h, rooms[:1])
    board = Part(Kind.BOX, (x, y, slab), (0, 0, h - slab))
    legs = legs_under(x - 0.05, y - 0.05, h / 2 - slab, rng.uniform(0.018, 0.035), 1)
    return Body((board, *legs), (x, y), h, rooms)


def mug(rng: Generator) -> Body:
    r, h = rng.uniform(0.11, 0.18), rng.uniform(0.12, 0.2)
    wall = 0.13 * r
    cup = Part(Kind.CUP, (r * rng.uniform(0.8, 1), r, h, wall), (0, 0, h))
    # The clip hides the half of the handle that would stand inside the cup.
    handle = Part(Kind.TORUS, (0.55 * h, 0.035, 0.02), (0.86 * r, 0, h), HANDLE, paint=1)
    return Body((cup, handle), (1.1 * r, r), 2 * h, (Room(0.7 * (0.8 * r - wall), wall, SKY),))


def tower(rng: Generator) -> Body:
    parts, z, wide = [], 0.0, rng.uniform(0.13, 0.2)
    half = wide
    for level in range(int(rng.integers(3, 6))):
        tall, paint = rng.uniform(0.05, 0.1), level % 2
        if rng.random() < 0.5:
            turn = about_z(rng.uniform(-0.3, 0.3))
            parts.append(Part(Kind.BOX, (0.8 * wide, 0.8 * wide, tall), (0, 0, z + tall), turn, paint))
        else:
            parts.append(Part(Kind.FRUSTUM, (wide, wide, tall), (0, 0, z + tall), paint=paint))
        z, wide = z + 2 * tall, wide * rng.uniform(0.8, 0.98)
    return Body(tuple(parts), (half, half), z, (top(0.6 * wide, z),))


def dumbbell(rng: Generator) -> Body:
    r, half = rng.uniform(0.09, 0.15), rng.uniform(0.2, 0.36)
    ends = [Part(Kind.ELLIPSOID, (r, r, r), (i * half, 0, r)) for i in (-1, 1)]
    bar = Part(Kind.FRUSTUM, (0.35 * r, 0.35 * r, half), (0, 0, r), ALONG_X, paint=1)
    return Body((*ends, bar), (half + r, r), 2 * r)


def snowman(rng: Generator) -> Body:
    r = rng.uniform(0.14, 0.2)
    sizes = [r, 0.75 * r, 0.52 * r]
    heights = [0.95 * r, 2.45 * r, 3.5 * r]
    balls = [Part(Kind.ELLIPSOID, (s, s, s), (0, 0, z)) for s, z in zip(sizes, heights, strict=True)]
    nose = Part(Kind.FRUSTUM, (0.11 * r, 0.005, 0.25 * r), (0.7 * r, 0, 3.5 * r), ALONG_X, paint=1)
    hat = Part(Kind.FRUSTUM, (0.4 * r, 0.36 * r, 0.25 * r), (0, 0, 4.15 * r), paint=1)
    return Body((*balls, nose, hat), (r, r), 4.4 * r)


def house(rng: Generator) -> Body:
    x, y, h = rng.uniform(0.16, 0.28), rng.uniform(0.13, 0.2), rng.uniform(0.1, 0.2)
    walls = Part(Kind.BOX, (x, y, h), (0, 0, h))
    apothem = 1.15 * y / 3**0.5  # of a triangular prism on its side: a third of the way from its base to the ridge
    roof = Part(Kind.PRISM, (apothem, apothem, 1.08 * x, 3.0), (0, 0, 2 * h + apothem), ALONG_X, 1)
    return Body((walls, roof), (1.1 * x, 1.15 * y), 2 * h + 3 * apothem)


def stool(rng: Generator) -> Body:
    r, h = rng.uniform(0.16, 0.24), rng.uniform(0.2, 0.36)
    seat = Part(Kind.FRUSTUM, (r, r, 0.03), (0, 0, h - 0.03))
    low = h / 2 - 0.03
    legs = [
        Part(Kind.FRUSTUM, (0.025, 0.025, low), (0.7 * r * np.cos(a), 0.7 * r * np.sin(a), low), paint=1)
        for a in (0.0, 2.1, 4.2)
    ]
    return Body((seat, *legs), (r, r), h, (top(0.8 * r, h),))


TRAINING_FAMILIES = (
    ball,
    egg,
    block,
    can,
    cone,
    ring,
    cushion,
    nut,
    plank,
    table,
    mug,
    tower,
    dumbbell,
    snowman,
    house,
    stool,
)
