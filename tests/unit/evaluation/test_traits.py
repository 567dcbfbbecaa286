"""What objects touch, stand on and hide behind is read off their points."""

import numpy as np

from mvsam.evaluation.traits import Trait, hidden_shares, traits
from tests.unit.evaluation.made_scenes import tiled

SQUARE, BESIDE, AWAY = slice(20, 30), slice(30, 40), slice(36, 46)  # 0.2 m wide; 0.12 m between the first and the last


def test_alone() -> None:
    assert traits(tiled([(SQUARE, SQUARE, 0.0)]), 0) == frozenset()


def test_six_pixels_apart_is_not_touching() -> None:
    assert Trait.TOUCHING not in traits(tiled([(SQUARE, SQUARE, 0.0), (SQUARE, AWAY, 0.0)]), 0)


def test_side_by_side() -> None:
    scene = tiled([(SQUARE, SQUARE, 0.0), (SQUARE, BESIDE, 0.0)])
    assert traits(scene, 0) == traits(scene, 1) == {Trait.TOUCHING}


def test_one_above_the_other() -> None:
    scene = tiled([(slice(15, 35), slice(15, 35), 0.0), (slice(22, 28), slice(22, 28), 0.2)])
    assert traits(scene, 0) == traits(scene, 1) == {Trait.STACKED}, "20 cm apart, yet one is over the other"


def test_long() -> None:
    assert traits(tiled([(slice(20, 24), slice(10, 50), 0.0)]), 0) == {Trait.ELONGATED}


def test_hidden_share_is_what_another_object_covers_in_each_view() -> None:
    # The tile above moves against the one on the floor from view to view: at half the height, a pixel for each pixel
    # of the cameras' shift. It starts over no part of the other and ends over half of it.
    scene = tiled([(SQUARE, slice(30, 40), 0.0), (SQUARE, slice(36, 46), 1.0)], shifts=(0, 16, 30))
    seen = scene.mask(0).sum((1, 2))
    exact = 1 - seen / seen.max()
    assert exact[0] == 0 and exact.max() > 0.3
    assert np.allclose(hidden_shares(scene, 0), exact, atol=0.11)
    assert not hidden_shares(scene, 1).any(), "nothing is above it"
