"""What a segmenter has to beat: masks out of the clicks and the exact pointmap alone.

Each baseline gives every pixel a number, its evidence, and marks the pixels whose evidence reaches a level. Levels are
chosen on training scenes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mvsam.evaluation.alignment import spread
from mvsam.evaluation.questions import Question, scored_views
from mvsam.synthetic.scene import Scene

Asked = Sequence[tuple[Scene, Question]]
Evidence = Callable[[Scene, Question], np.ndarray]

RADII = np.geomspace(0.02, 1.0, 60)  # tried as distance thresholds, relative to the scene's spread
SHARES = np.linspace(0.05, 0.95, 19)  # tried as levels of the mean mask


@dataclass(frozen=True)
class Baseline:
    """Evidence and the level from which on a pixel is marked."""

    evidence: Evidence
    level: float

    def masks(self, scene: Scene, question: Question) -> np.ndarray:
        """bool [N, H, W]."""
        return self.evidence(scene, question) >= self.level


def fitted_baselines(training: Asked) -> dict[str, Baseline]:
    """The baselines, fitted to questions about training scenes of one size.

    Raises:
        ValueError: there are none.
    """
    if not training:
        raise ValueError("baselines need training scenes to be fitted to; give at least one with a question")
    mean_mask = MeanMask.of(training)
    return {
        "mean mask": Baseline(mean_mask, best_level(mean_mask, training, SHARES)),
        "nearest prompt point": Baseline(preference, 0.0),
        "distance threshold": Baseline(nearness, best_level(nearness, training, -RADII)),
    }


def best_level(evidence: Evidence, asked: Asked, levels: np.ndarray) -> float:
    """The level with the highest mean IoU over the questions."""
    scores = np.mean([ious_at(levels, evidence(*each), *each) for each in asked], axis=0)
    return float(levels[scores.argmax()])


def ious_at(levels: np.ndarray, evidence: np.ndarray, scene: Scene, question: Question) -> np.ndarray:
    """Mean IoU over the views that are scored, for each of some levels: float [L]."""
    scored = scored_views(scene, question)
    exact, evidence = scene.mask(question.target)[scored], evidence[scored]
    area, scores = exact.sum((1, 2)), []
    for level in levels:
        marked = evidence >= level
        common = (marked & exact).sum((1, 2))
        scores.append((common / (marked.sum((1, 2)) + area - common)).mean())
    return np.array(scores)


def nearness(scene: Scene, question: Question) -> np.ndarray:
    """Minus the distance in space to the nearest positive click, relative to the scene's spread: float [N, H, W].

    The spread is the root mean square distance of the scene's points from their mean.
    """
    return -_distance(scene, question, positive=True) / spread(scene.points[scene.valid])


def preference(scene: Scene, question: Question) -> np.ndarray:
    """How much nearer in space the nearest positive click is than the nearest negative one: float [N, H, W]."""
    return _distance(scene, question, positive=False) - _distance(scene, question, positive=True)


@dataclass(frozen=True)
class MeanMask:
    """The mean of training objects' masks, laid over where the clicks are.

    Masks are averaged, and laid down again, with the pixel in the middle whose point is nearest to the positive clicks'
    mean: one mean mask for the whole picture, the same wherever the clicks are, scores next to nothing.

    Attributes:
        shares: float [2H, 2W], how often an object covers each place around that pixel.
    """

    shares: np.ndarray

    @classmethod
    def of(cls, training: Asked) -> "MeanMask":
        """Averages over the views that are scored."""
        height, width = training[0][0].objects.shape[1:]
        total, count = np.zeros((2 * height, 2 * width)), 0
        for scene, question in training:
            windows, exact = _windows(scene, question), scene.mask(question.target)
            for view in np.flatnonzero(scored_views(scene, question)):
                total[windows[view]] += exact[view]
                count += 1
        return cls(total / count)

    def __call__(self, scene: Scene, question: Question) -> np.ndarray:
        """The share of training objects that cover each pixel: float [N, H, W]."""
        return np.stack([self.shares[window] for window in _windows(scene, question)])


def _windows(scene: Scene, question: Question) -> list[tuple[slice, slice]]:
    """Where each view lies in a picture of twice its size that has the clicks' mean in the middle."""
    clicked = _clicked(scene, question, positive=True).mean(0)
    count, height, width = scene.objects.shape
    nearest = np.linalg.norm(scene.points - clicked, axis=-1).reshape(count, -1).argmin(1)
    return [
        (slice(height - row, 2 * height - row), slice(width - column, 2 * width - column))
        for row, column in zip(*np.divmod(nearest, width), strict=True)
    ]


def _distance(scene: Scene, question: Question, *, positive: bool) -> np.ndarray:
    """From each pixel's point to the nearest click of a kind: float [N, H, W], infinite where there are none."""
    return to_nearest(scene.points, _clicked(scene, question, positive=positive))


def to_nearest(points: np.ndarray, clicked: np.ndarray) -> np.ndarray:
    """From each point [..., 3] to the nearest of some others [P, 3]: float [...], infinite where there are none."""
    distance = np.full(points.shape[:-1], np.inf)
    for each in clicked:
        np.minimum(distance, np.linalg.norm(points - each, axis=-1), out=distance)
    return distance


def _clicked(scene: Scene, question: Question, *, positive: bool) -> np.ndarray:
    """Points under the clicks of a kind: [P, 3]."""
    chosen = question.positive == positive
    return scene.points[question.views[chosen], question.rows[chosen], question.columns[chosen]]
