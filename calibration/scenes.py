"""Scenes that graphs are calibrated on and engines accepted by: photographs and prompts, as a request holds them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice

import cv2
import numpy as np

from mvsam.evaluation.questions import PROMPTED_VIEWS, Prompting, Question, ask
from mvsam.pipeline.request import NEGATIVE, PADDING, POSITIVE, Geometry, Prompts
from mvsam.synthetic.scene import Scene, Split, sample_scene

FIRST_SEED = 300_000  # neither trained, nor validated, nor evaluated on


@dataclass(frozen=True)
class CalibrationScene:
    """What `Segmenter.segment` is given.

    Attributes:
        name: for reports.
        images: N encoded photographs.
        prompts: on them.
        geometry: pointmaps instead of π³'s.
    """

    name: str
    images: list[bytes]
    prompts: Prompts
    geometry: Geometry | None = None


def synthetic_scenes(
    number: int, *, first_seed: int = FIRST_SEED, views: int = 4, side: int = 256
) -> Iterator[CalibrationScene]:
    """Held-out scenes with their exact pointmaps; in each, clicks on an object in each of the evaluation's ways.

    Args:
        number: of scenes; those without an object that is seen in three views are passed over.
        first_seed: the seeds count up from here.
        views: photographs of each scene.
        side: of the square photographs, pixels.

    Raises:
        ValueError: fewer views than an object has to be seen in.
    """
    if views <= PROMPTED_VIEWS:
        raise ValueError(f"{views} views are too few: clicks are on {PROMPTED_VIEWS}, give at least one more")
    return islice(_scenes(first_seed, views, side), number)


def _scenes(first_seed: int, views: int, side: int) -> Iterator[CalibrationScene]:
    for seed in count(first_seed):
        scene = sample_scene(seed, Split.TEST, views=views, height=side, width=side)
        rng = np.random.default_rng(seed)
        asked = [question for prompting in Prompting if (question := ask(scene, prompting, rng))]
        if asked:
            yield CalibrationScene(f"synthetic {seed}", encoded(scene), prompts_of(asked), exact_geometry(scene))


def encoded(scene: Scene) -> list[bytes]:
    """A scene's photographs as PNG files."""
    return [cv2.imencode(".png", image[..., ::-1])[1].tobytes() for image in scene.images]


def exact_geometry(scene: Scene) -> Geometry:
    """A scene's own pointmaps, all of them as sure."""
    return Geometry.of(scene.points, np.ones(scene.points.shape[:3], np.float32), scene.valid)


def prompts_of(questions: list[Question]) -> Prompts:
    """The clicks of several questions, an object each."""
    shape = len(questions), max(len(question.views) for question in questions)
    points = np.zeros((*shape, 2), np.float32)
    labels, views = np.full(shape, PADDING, np.int32), np.zeros(shape, np.int32)
    for index, question in enumerate(questions):
        clicks = slice(len(question.views))
        points[index, clicks] = np.stack([question.columns, question.rows], axis=-1)
        labels[index, clicks] = np.where(question.positive, POSITIVE, NEGATIVE)
        views[index, clicks] = question.views
    return Prompts.of(points, labels, views)
