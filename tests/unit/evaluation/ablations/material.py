"""A made scene and features of no meaning, for everything that needs the right shapes only."""

import numpy as np

from mvsam.evaluation.ablations.scenes import EncodedScenes, Material
from mvsam.evaluation.ablations.variants import PRESET
from mvsam.synthetic.scene import Scene
from tests.unit.evaluation.made_scenes import tiled

VIEWS = 8


def scene() -> Scene:
    """Two tiles, of which the raised one hides a part of the other in some views."""
    lower, upper = (slice(20, 40), slice(20, 34), 0.0), (slice(24, 36), slice(30, 42), 0.6)
    return tiled([lower, upper], shifts=tuple(range(0, 3 * VIEWS, 3)))


def encoded() -> EncodedScenes:
    """One scene."""
    side = PRESET.grid_side
    rng = np.random.default_rng(0)
    shapes = ((256, side, side), (32, 4 * side, 4 * side), (64, 2 * side, 2 * side))
    return EncodedScenes([scene()], [rng.standard_normal((1, VIEWS, *shape)).astype(np.float16) for shape in shapes])


def material() -> Material:
    """The same scene for everything."""
    return Material(encoded(), encoded(), encoded())
