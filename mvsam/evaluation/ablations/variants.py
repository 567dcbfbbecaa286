"""What is trained, and how it is asked afterwards. The defaults are the product's."""

from dataclasses import dataclass
from enum import StrEnum

from mvsam.networks.presets import PRESETS, DecoderConfig
from mvsam.training.disturbance import Disturbance
from mvsam.training.losses import MaskLoss
from mvsam.training.recipes import DECODER_RECIPES

PRESET = PRESETS["demo"]
RECIPE = DECODER_RECIPES["demo"]


class Samples(StrEnum):
    """What a training step sees."""

    EIGHT_VIEWS = "eight views of one scene, prompts in at most two of them"
    SINGLE_VIEWS = "eight views of as many scenes, each on its own with its own prompts"


class Coordinates(StrEnum):
    """What the positional embedding is taken of (the paper's Table 14)."""

    STANDARDIZED = "standardized"  # z-scored over all pixels of the scene's views
    RAW = "raw"


@dataclass(frozen=True)
class Variant:
    """A decoder and its training.

    Attributes:
        name: names its results.
        decoder: sizes and switches.
        samples: what a step sees.
        loss: of each mask.
        coordinates: of points and prompts.
        errors: of the geometry, drawn for each view on its own, in training and afterwards; None: exact geometry.
        low_share: share of the points with the lowest confidence that are flagged; 0 is a decoder without confidence
            embeddings.
    """

    name: str
    decoder: DecoderConfig = PRESET.decoder
    samples: Samples = Samples.EIGHT_VIEWS
    loss: MaskLoss = RECIPE.loss
    coordinates: Coordinates = Coordinates.STANDARDIZED
    errors: Disturbance | None = None
    low_share: float = 0.15


@dataclass(frozen=True)
class Evaluation:
    """How a trained decoder is asked.

    Attributes:
        frames: at most so many of a long scene's views are seen at a time, and prompts are in one of them; None: all
            views of the eight-view scenes, with prompts in two.
        noise: deviation of Gaussian noise on all points, relative to the points' own deviation along each axis.
        scale: of the whole scene.
    """

    frames: int | None = None
    noise: float = 0.0
    scale: float = 1.0


AS_TRAINED = Evaluation()


@dataclass(frozen=True)
class Scale:
    """How large the study is.

    Attributes:
        training_scenes, held_out_scenes: of eight views; the latter of families and textures that training never shows.
        long_scenes, long_views: held-out scenes of many views, and how many.
        start_steps, steps: optimiser steps of the start that all runs share, and of each run.
        objects: masks of each view in a step.
        questions: about each held-out scene.
    """

    training_scenes: int = 200
    held_out_scenes: int = 40
    long_scenes: int = 6
    long_views: int = 100
    start_steps: int = 3000
    steps: int = 1200
    objects: int = 2
    questions: int = 2


SCALES = {
    "full": Scale(),
    # Proves the way.
    "taste": Scale(4, 2, long_scenes=1, long_views=10, start_steps=2, steps=4, objects=1, questions=1),
}
