"""Families of objects in test scenes only: a function draws one member; sizes in metres, as in a toy world."""

import numpy as np
from numpy.random import Generator

from mvsam.synthetic.bodies import ALONG_X, ALONG_Y, BOW, SKY, Body, Part, Room, legs_under, top
from mvsam.synthetic.solids import Kind


def pill(rng: Generator) -> Body:
    r, half = rng.uniform(0.08, 0.15), rng.uniform(0.12, 0.35)
    return Body((Part(Kind.CAPSULE, (r, half), (0, 0, r), ALONG_X),), (r + half, r), 2 * r)


def spindle(rng: Generator) -> Body:
    a, c, e = rng.uniform(0.14, 0.24), rng.uniform(0.16, 0.32), rng.uniform(1.3, 1.9)
    return Body((Part(Kind.SUPERQUADRIC, (a, a, c, rng.uniform(0.6, 1.9), e), (0, 0, c)),), (a, a), 2 * c)


def pyramid(rng: Generator) -> Body:
    r, h, sides = rng.uniform(0.12, 0.22), rng.uniform(0.12, 0.25), float(rng.choice([3, 4]))
    reach = r / np.cos(np.pi / sides)
    return Body((Part(Kind.PRISM, (r, 0.003, h, sides), (0, 0, h)),), (reach, reach), 2 * h)


def plinth(rng: Generator) -> Body:
    r, h = rng.uniform(0.16, 0.28), rng.uniform(0.07, 0.22)
    body = Part(Kind.PRISM, (r, 0.75 * r, h, 4.0), (0, 0, h))
    cap = Part(Kind.BOX, (0.85 * r, 0.85 * r, 0.025), (0, 0, 2 * h + 0.025), paint=1)
    return Body((body, cap), (r, r), 2 * h + 0.05, (top(0.8 * r, 2 * h + 0.05),))


def chair(rng: Generator) -> Body:
    x, y, seat = rng.uniform(0.16, 0.24), rng.uniform(0.16, 0.22), rng.uniform(0.2, 0.3)
    back = rng.uniform(0.15, 0.25)
    board = Part(Kind.BOX, (x, y, 0.022), (0, 0, seat - 0.022))
    rest = Part(Kind.BOX, (0.02, y, back), (0.02 - x, 0, seat + back))
    legs = legs_under(x - 0.03, y - 0.03, seat / 2 - 0.022, 0.022, 1)
    return Body((board, rest, *legs), (x, y), seat + 2 * back, (top(0.7 * min(x, y), seat),))


def lamp(rng: Generator) -> Body:
    r, h = rng.uniform(0.1, 0.15), rng.uniform(0.2, 0.4)
    foot = Part(Kind.FRUSTUM, (r, 0.8 * r, 0.02), (0, 0, 0.02), paint=1)
    pole = Part(Kind.FRUSTUM, (0.02, 0.02, h), (0, 0, h), paint=1)
    shade = Part(Kind.FRUSTUM, (1.5 * r, 0.8 * r, 0.8 * r), (0, 0, 2 * h))
    return Body((foot, pole, shade), (1.5 * r, 1.5 * r), 2 * h + 0.8 * r)


def mushroom(rng: Generator) -> Body:
    r, h = rng.uniform(0.14, 0.24), rng.uniform(0.08, 0.16)
    stem = Part(Kind.FRUSTUM, (0.5 * r, 0.35 * r, h), (0, 0, h), paint=1)
    flat = rng.uniform(0.4, 0.8) * r
    cap = Part(Kind.ELLIPSOID, (r, r, flat), (0, 0, 2 * h + 0.6 * flat))
    return Body((stem, cap), (r, r), 2 * h + 1.6 * flat)


def bottle(rng: Generator) -> Body:
    r, h = rng.uniform(0.08, 0.12), rng.uniform(0.13, 0.2)
    body = Part(Kind.FRUSTUM, (r, r, h), (0, 0, h))
    shoulder = Part(Kind.FRUSTUM, (r, 0.35 * r, 0.5 * r), (0, 0, 2 * h + 0.5 * r))
    neck = Part(Kind.FRUSTUM, (0.35 * r, 0.3 * r, 0.5 * r), (0, 0, 2 * h + 1.5 * r))
    stopper = Part(Kind.FRUSTUM, (0.42 * r, 0.42 * r, 0.2 * r), (0, 0, 2 * h + 2 * r), paint=1)
    return Body((body, shoulder, neck, stopper), (r, r), 2 * h + 2.2 * r)


def arch(rng: Generator) -> Body:
    span, thick, h = rng.uniform(0.18, 0.3), rng.uniform(0.06, 0.09), rng.uniform(0.06, 0.16)
    pillars = [Part(Kind.BOX, (thick, thick, h), (i * span, 0, h), paint=1) for i in (-1, 1)]
    bow = Part(Kind.TORUS, (span, thick, 0.0), (0, 0, 2 * h), BOW)
    rooms = (Room(0.75 * (span - thick), 0.0, 2 * h + 0.5 * span),)
    return Body((*pillars, bow), (span + thick, thick), 2 * h + span + thick, rooms)


def cart(rng: Generator) -> Body:
    x, y, r = rng.uniform(0.2, 0.3), rng.uniform(0.1, 0.15), rng.uniform(0.055, 0.08)
    hull = Part(Kind.SUPERQUADRIC, (x, y, 0.09, 0.25, 0.35), (0, 0, r + 0.07))
    cabin = Part(Kind.SUPERQUADRIC, (0.5 * x, 0.85 * y, 0.08, 0.3, 0.5), (-0.15 * x, 0, r + 0.2))
    wheels = [
        Part(Kind.FRUSTUM, (r, r, 0.025), (0.6 * i * x, j * y, r), ALONG_Y, paint=1) for i in (-1, 1) for j in (-1, 1)
    ]
    return Body((hull, cabin, *wheels), (x, y + 0.025), r + 0.28)


def hammer(rng: Generator) -> Body:
    half, r = rng.uniform(0.22, 0.36), rng.uniform(0.055, 0.08)
    handle = Part(Kind.CAPSULE, (0.4 * r, half), (0, 0, r), ALONG_X, paint=1)
    head = Part(Kind.FRUSTUM, (r, r, 0.13), (half, 0, r), ALONG_Y)
    return Body((handle, head), (half + r, 0.13), 2 * r)


def plant(rng: Generator) -> Body:
    r, h = rng.uniform(0.09, 0.14), rng.uniform(0.08, 0.12)
    pot = Part(Kind.CUP, (0.75 * r, r, h, 0.1 * r), (0, 0, h), paint=1)
    trunk = Part(Kind.FRUSTUM, (0.02, 0.02, 1.2 * h), (0, 0, 1.3 * h), paint=1)
    leaves = [
        Part(Kind.ELLIPSOID, (1.1 * r, 0.9 * r, 1.3 * r), (0, 0, 3.2 * h)),
        Part(Kind.ELLIPSOID, (0.8 * r, 0.9 * r, 0.9 * r), (0.8 * r, 0.3 * r, 2.9 * h)),
        Part(Kind.ELLIPSOID, (0.8 * r, 0.8 * r, 0.9 * r), (-0.7 * r, -0.5 * r, 3.0 * h)),
    ]
    return Body((pot, trunk, *leaves), (1.3 * r, 1.2 * r), 4.2 * h + 0.5 * r)


def basket(rng: Generator) -> Body:
    r, h = rng.uniform(0.15, 0.24), rng.uniform(0.07, 0.13)
    bowl = Part(Kind.CUP, (0.7 * r, r, h, 0.08 * r), (0, 0, h))
    bow = Part(Kind.TORUS, (0.93 * r, 0.02, 0.0), (0, 0, 1.9 * h), BOW, paint=1)
    return Body((bowl, bow), (r, r), 1.9 * h + r, (Room(0.5 * r, 0.1 * r, SKY),))


def shelf(rng: Generator) -> Body:
    x, y, h = rng.uniform(0.25, 0.4), rng.uniform(0.13, 0.2), rng.uniform(0.2, 0.32)
    sides = [Part(Kind.BOX, (0.02, 0.97 * y, h), (i * x, 0, h)) for i in (-1, 1)]
    boards = [Part(Kind.BOX, (x + 0.03, y, 0.018), (0, 0, z), paint=1) for z in (0.03, h, 2 * h)]
    rooms = (top(0.9 * y, 2 * h + 0.018), Room(0.8 * y, 0.048, h - 0.08))
    return Body((*sides, *boards), (x + 0.03, y), 2 * h + 0.018, rooms)


def broom(rng: Generator) -> Body:
    half = rng.uniform(0.35, 0.55)
    pole = Part(Kind.CAPSULE, (0.022, half - 0.022), (0, 0, half))
    brush = Part(Kind.PRISM, (0.09, 0.05, 0.06, 4.0), (0, 0, 0.06), paint=1)
    return Body((pole, brush), (0.09, 0.09), 2 * half, leans=True)


HELD_OUT_FAMILIES = (
    pill,
    spindle,
    pyramid,
    plinth,
    chair,
    lamp,
    mushroom,
    bottle,
    arch,
    cart,
    hammer,
    plant,
    basket,
    shelf,
    broom,
)
