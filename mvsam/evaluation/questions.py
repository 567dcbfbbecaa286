"""Questions to put to a segmenter: an object of a held-out scene, and clicks on it in one or two of the views."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from mvsam.evaluation.traits import hidden_shares
from mvsam.synthetic.scene import Scene

VISIBLE = 0.002  # share of a picture from which on an object counts as visible in it
OCCLUDED = 0.15  # share of an object hidden by others from which on it counts as occluded
PROMPTED_VIEWS = 2


class Prompting(Enum):
    """Positive and negative clicks."""

    TEN_AND_TWO = (10, 2)  # the paper's
    ONE = (1, 0)


@dataclass(frozen=True)
class Question:
    """An object and clicks on and off it.

    Attributes:
        target: index of the object.
        views, rows, columns, positive: of each click.
    """

    target: int
    views: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    positive: np.ndarray


def ask(
    scene: Scene, prompting: Prompting, rng: np.random.Generator, prompted_views: int = PROMPTED_VIEWS
) -> Question | None:
    """Draws an object that is visible in more views than are prompted, and clicks in at most so many of them.

    Returns:
        None where the scene has no such object.
    """
    shares = np.stack([(scene.objects == o).mean((1, 2)) for o in range(int(scene.objects.max()) + 1)])
    candidates = np.flatnonzero((shares >= VISIBLE).sum(1) > prompted_views)
    if not candidates.size:
        return None
    target = int(rng.choice(candidates))
    visible = np.flatnonzero(shares[target] >= VISIBLE)
    positives, negatives = prompting.value
    prompted = rng.permutation(visible)[: min(prompted_views, positives)]
    clicks = []
    for index in range(positives + negatives):
        view = int(prompted[index % len(prompted)])
        on = scene.objects[view] == target
        region = on if index < positives else ~on
        clicks.append((view, *np.unravel_index(rng.choice(np.flatnonzero(region)), region.shape), index < positives))
    views, rows, columns, positive = (np.array(part) for part in zip(*clicks, strict=True))
    return Question(target, views, rows, columns, positive.astype(bool))


@dataclass(frozen=True)
class Answered:
    """How good an answer was in the views without clicks; nan where there are no such views.

    Attributes:
        iou: mean over those in which the object is visible.
        recall: likewise, of the share of the object that is found (the paper's mAcc in its ablations).
        occluded_iou: mean over those of them in which other things hide a part of the object.
        prompted_iou: mean over the views with clicks.
        strays: share of the pixels marked in views where the object is not seen at all.
    """

    iou: float
    recall: float
    occluded_iou: float
    prompted_iou: float
    strays: float


def scored_views(scene: Scene, question: Question) -> np.ndarray:
    """bool [N]: the object is visible there, and there are no clicks."""
    visible = scene.mask(question.target).mean((1, 2)) >= VISIBLE
    return visible & ~np.isin(np.arange(len(visible)), question.views)


def judge(scene: Scene, question: Question, masks: np.ndarray) -> Answered:
    """Compares masks, bool [N, H, W], with the exact ones."""
    exact = scene.mask(question.target)
    common = (masks & exact).sum((1, 2))
    ious = common / np.maximum((masks | exact).sum((1, 2)), 1)
    recalls = common / np.maximum(exact.sum((1, 2)), 1)
    scored = scored_views(scene, question)
    occluded = scored & (hidden_shares(scene, question.target) >= OCCLUDED)
    return Answered(
        iou=_mean(ious[scored]),
        recall=_mean(recalls[scored]),
        occluded_iou=_mean(ious[occluded]),
        prompted_iou=_mean(ious[np.unique(question.views)]),
        strays=_mean(masks[~exact.any((1, 2))]),
    )


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
