"""How objects stand to one another."""

import numpy as np
import pytest

from mvsam.synthetic.families import FAMILIES
from mvsam.synthetic.footprints import Footprint
from mvsam.synthetic.layout import FEWEST, MOST, Relation, arrange
from mvsam.synthetic.splits import Split


@pytest.mark.parametrize("split", list(Split))
def test_every_relation_occurs(split: Split) -> None:
    scenes = [arrange(np.random.default_rng(seed), split) for seed in range(40)]
    assert {placed.relation for scene in scenes for placed in scene} == set(Relation)
    assert all(FEWEST <= len(scene) <= MOST for scene in scenes)
    shares = [any(p.relation in (Relation.TOUCHING, Relation.HOSTED) for p in scene) for scene in scenes]
    assert np.mean(shares) > 0.8, "most scenes hold objects that touch or are stacked"


@pytest.mark.parametrize("split", list(Split))
def test_objects_on_the_ground_do_not_run_into_each_other(split: Split) -> None:
    for seed in range(40):
        grounds = [p.ground for p in arrange(np.random.default_rng(seed), split) if p.ground is not None]
        pairs = [(a, b) for i, a in enumerate(grounds) for b in grounds[:i]]
        assert not any(a.meets(b, -0.011) for a, b in pairs), seed


@pytest.mark.parametrize("split", list(Split))
def test_families_stand_on_the_ground_within_their_footprints(split: Split) -> None:
    for name, draw in FAMILIES[split].items():
        for seed in range(5):
            body = draw(np.random.default_rng(seed))
            for part in body.parts:
                centre = np.abs(part.centre)
                assert centre[0] <= body.half[0] and centre[1] <= body.half[1], name
                assert 0 < part.centre[2] < body.height, name


def test_footprints_meet_only_where_they_overlap() -> None:
    square = Footprint(np.zeros(2), (1.0, 1.0), 0.0)
    turned = Footprint(np.array([2.3, 0.0]), (1.0, 1.0), np.pi / 4)
    assert square.meets(turned, 0.0) and turned.meets(square, 0.0)
    apart = Footprint(np.array([2.3, 0.0]), (1.0, 1.0), 0.0)
    assert not square.meets(apart, 0.0) and square.meets(apart, 0.4)
