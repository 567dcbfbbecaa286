"""Which families of objects a split's scenes draw from: none is in both."""

from collections.abc import Callable

from numpy.random import Generator

from mvsam.synthetic.bodies import Body
from mvsam.synthetic.held_out_families import HELD_OUT_FAMILIES
from mvsam.synthetic.splits import Split
from mvsam.synthetic.training_families import TRAINING_FAMILIES

Family = Callable[[Generator], Body]

FAMILIES: dict[Split, dict[str, Family]] = {
    split: {draw.__name__: draw for draw in families}
    for split, families in ((Split.TRAIN, TRAINING_FAMILIES), (Split.TEST, HELD_OUT_FAMILIES))
}
