"""What training scenes are made of, and what only test scenes are made of."""

from enum import Enum


class Split(Enum):
    """Test scenes differ from training scenes in object families and textures, not only in seeds."""

    TRAIN = "train"
    TEST = "test"
