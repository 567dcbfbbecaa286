"""Where objects stand: apart, touching, on one another, inside or under one another, leaning."""

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.random import Generator

from mvsam.synthetic.bodies import ALONG_X, Body, Room, about_z
from mvsam.synthetic.families import FAMILIES
from mvsam.synthetic.footprints import Footprint
from mvsam.synthetic.splits import Split

FEWEST, MOST = 3, 10
TRIES = 20
SMALLEST = 0.5  # an object is shrunk at most so far to fit a place


class Relation(Enum):
    """How an object stands to those that were placed before it."""

    APART = "apart"
    TOUCHING = "touching"
    HOSTED = "hosted"  # on top of one, inside it or under it
    LEANING = "leaning"


CHANCES = {Relation.APART: 0.34, Relation.TOUCHING: 0.33, Relation.HOSTED: 0.33}  # what is made to lean, leans


@dataclass
class Placed:
    """An object in the world: x_world = turn @ x_body + position."""

    family: str
    relation: Relation
    body: Body
    turn: np.ndarray  # [3, 3]
    position: np.ndarray  # [3]
    ground: Footprint | None  # what it covers of the ground; None where it stands in another object's place
    rooms: list[Room] = field(default_factory=list)  # places that are still free

    @property
    def middle(self) -> np.ndarray:
        """Centre of the object, [3]."""
        return self.position + self.turn @ np.array([0.0, 0.0, self.body.height / 2])

    @property
    def reach(self) -> float:
        """Radius of a ball about the middle that holds the object."""
        return float(np.hypot(np.hypot(*self.body.half), self.body.height / 2))


def arrange(rng: Generator, split: Split) -> list[Placed]:
    """Places FEWEST to MOST objects around the origin of the ground, few more often than many."""
    placed: list[Placed] = []
    names = list(FAMILIES[split])
    relations, chances = list(CHANCES), list(CHANCES.values())
    for _ in range(int(rng.integers(FEWEST, MOST + 1, 2).min())):
        name = names[rng.integers(len(names))]
        body = FAMILIES[split][name](rng)
        relation = Relation.LEANING if body.leans else relations[rng.choice(len(relations), p=chances)]
        found = None
        if relation is Relation.TOUCHING:
            found = _touching(rng, name, body, placed)
        elif relation is Relation.HOSTED:
            found = _hosted(rng, name, body, placed)
        elif relation is Relation.LEANING:
            found = _leaning(rng, name, body, placed)
        placed.append(found or _apart(rng, name, body, placed))
    return placed


def _free(ground: Footprint, others: list[Placed], gap: float, host: Placed | None = None) -> bool:
    return not any(o.ground.meets(ground, gap) for o in others if o.ground is not None and o is not host)


def _apart(rng: Generator, name: str, body: Body, others: list[Placed]) -> Placed:
    """On free ground, as close to the middle as chance allows; the ground grows until there is room."""
    reach = 0.35 + 0.1 * len(others)
    while True:
        yaw = float(rng.uniform(0, 2 * np.pi))
        x, y = rng.uniform(-reach, reach, 2)
        half = (body.height / 2, body.half[1]) if body.leans else body.half
        ground = Footprint(np.array([x, y]), half, yaw)
        if _free(ground, others, 0.04):
            break
        reach *= 1.05
    turn, position = about_z(yaw), np.array([x, y, 0.0])
    if body.leans:  # with nothing to lean on it lies on the ground
        position = position - turn[:, 0] * body.height / 2 + [0.0, 0.0, body.half[0]]
        turn = turn @ ALONG_X
    return Placed(name, Relation.APART, body, turn, position, ground, list(body.rooms))


def _hosts(others: list[Placed]) -> list[Placed]:
    return [other for other in others if other.ground is not None and not other.body.leans]


def _touching(rng: Generator, name: str, body: Body, others: list[Placed]) -> Placed | None:
    """Side by side with an object on the ground, turned alike: the widest points meet."""
    hosts = _hosts(others)
    for _ in range(TRIES if hosts else 0):
        host = hosts[rng.integers(len(hosts))]
        assert host.ground is not None
        axis, offset = int(rng.integers(2)), np.zeros(3)
        offset[axis] = rng.choice([-1, 1]) * (host.body.half[axis] + body.half[axis])
        offset[1 - axis] = rng.uniform(-0.2, 0.2) * host.body.half[1 - axis]
        position = host.position + host.turn @ offset
        ground = Footprint(position[:2], body.half, host.ground.yaw)
        if _free(ground, others, 0.01, host):
            return Placed(name, Relation.TOUCHING, body, host.turn, position, ground, list(body.rooms))
    return None


def _hosted(rng: Generator, name: str, body: Body, others: list[Placed]) -> Placed | None:
    """In a place that another object offers; shrunk to fit, and the place is taken."""
    places = [(host, room) for host in others for room in host.rooms]
    for index in rng.permutation(len(places)):
        host, room = places[index]
        factor = min(1.0, room.half / max(body.half), 0.95 * room.clear / body.height)
        if factor < SMALLEST:
            continue
        host.rooms.remove(room)
        small = body.scaled(factor)
        slack = max(0.0, 0.6 * (room.half - max(small.half)))
        position = host.position + host.turn @ np.array([*rng.uniform(-slack, slack, 2), room.floor])
        turn = about_z(float(rng.uniform(0, 2 * np.pi)))
        return Placed(name, Relation.HOSTED, small, turn, position, None, list(small.rooms))
    return None


def _leaning(rng: Generator, name: str, body: Body, others: list[Placed]) -> Placed | None:
    """Tilted against the upper edge of an object that stands on the ground."""
    hosts = _hosts(others)
    for _ in range(TRIES if hosts else 0):
        host = hosts[rng.integers(len(hosts))]
        assert host.ground is not None
        tilt, side = rng.uniform(0.15, 0.6), rng.choice([-1, 1])  # radians from the vertical
        c, s, thick = np.cos(tilt), np.sin(tilt), body.half[0]
        away = min(host.body.height, 0.8 * body.height) * s / c + thick / c
        foot = np.array([side * (host.body.half[0] + away), 0.0, thick * s])
        towards = np.array([[c, 0.0, -side * s], [0.0, 1.0, 0.0], [side * s, 0.0, c]])
        centre = host.position + host.turn @ np.array([side * (host.body.half[0] + away / 2 + thick), 0.0, 0.0])
        ground = Footprint(centre[:2], (away / 2, body.half[1]), host.ground.yaw)
        if _free(ground, others, 0.0, host):
            position = host.position + host.turn @ foot
            return Placed(name, Relation.LEANING, body, host.turn @ towards, position, ground)
    return None
