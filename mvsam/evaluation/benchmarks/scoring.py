"""How well a mask agrees with the exact one, and how scores of views become a data set's.

Per view, with TP, FP, FN and TN pixels: foreground IoU TP / (TP + FP + FN); foreground recall TP / (TP + FN); mean
class accuracy, the mean of TP / (TP + FN) and TN / (TN + FP); pixel accuracy (TP + TN) / all; boundary F of DAVIS
(Perazzi et al., 2016), with contours matched within 0.8 % of the diagonal. Views that do not show the object have no
IoU: pixels marked there are false positives and reported apart.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

TOLERANCE = 0.008  # of the diagonal, between matched contours
RESAMPLES = 10_000  # of the scenes


class Averaging(StrEnum):
    """How the views of an object are summed up."""

    MACRO = "macro"  # the mean of the views' scores
    MICRO = "micro"  # the score of all views' pixels together


@dataclass(frozen=True)
class ViewScore:
    """Pixels by truth and prediction, and the boundary's F measure."""

    view: int
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    boundary_f: float

    @property
    def shows_object(self) -> bool:
        """Whether the object is there."""
        return self.true_positives + self.false_negatives > 0

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)


FIGURES = ("iou", "recall", "class_accuracy", "pixel_accuracy", "boundary_f")


@dataclass(frozen=True)
class Score:
    """Of one object, or the mean of several; shares of one.

    Attributes:
        iou, recall, class_accuracy, pixel_accuracy, boundary_f: of the views that show the object.
        strays: share of the pixels marked in views that do not show it; nan where there are no such views.
        views: how many were scored.
    """

    iou: float
    recall: float
    class_accuracy: float
    pixel_accuracy: float
    boundary_f: float
    strays: float
    views: int


def score_view(view: int, found: np.ndarray, truth: np.ndarray) -> ViewScore:
    """Compares a mask with the exact one.

    Args:
        view: its number.
        found: bool [h, w] of any size; resized to the exact one's by the nearest pixel, never cropped.
        truth: bool [h, w].
    """
    found = _fitted(found, truth)
    both, marked, there = int((found & truth).sum()), int(found.sum()), int(truth.sum())
    rest = truth.size - marked - there + both
    return ViewScore(view, both, marked - both, there - both, rest, boundary_f(found, truth))


def intersection_over_union(found: np.ndarray, truth: np.ndarray) -> float:
    """Foreground IoU of a mask with the exact one, both as for `score_view`; nan where neither marks anything."""
    found = _fitted(found, truth)
    marked = int((found | truth).sum())
    return int((found & truth).sum()) / marked if marked else float("nan")


def _fitted(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    if found.shape == truth.shape:
        return found
    return cv2.resize(found.astype(np.uint8), truth.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT) > 0


def boundary_f(found: np.ndarray, truth: np.ndarray) -> float:
    """F measure of the contours of two masks, bool [h, w]."""
    contours = [_contour(mask) for mask in (found, truth)]
    if not all(contour.any() for contour in contours):
        return float(not any(contour.any() for contour in contours))
    reach = max(1, round(TOLERANCE * math.hypot(*truth.shape)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = [cv2.dilate(contour.astype(np.uint8), disk) > 0 for contour in contours]
    precision = float(near[1][contours[0]].mean())
    recall = float(near[0][contours[1]].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _contour(mask: np.ndarray) -> np.ndarray:
    """Pixels whose right, lower or lower right neighbour is on the other side; the picture's edge is no contour."""
    edge = np.zeros_like(mask)
    edge[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    edge[:-1] |= mask[:-1] != mask[1:]
    edge[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return edge


def score_object(views: Sequence[ViewScore], averaging: Averaging = Averaging.MACRO) -> Score:
    """Sums up the views of one object."""
    shown = [each for each in views if each.shows_object]
    absent = [each for each in views if not each.shows_object]
    counted = shown
    if averaging is Averaging.MICRO and shown:
        columns = ("true_positives", "false_positives", "false_negatives", "true_negatives")
        totals = {column: sum(getattr(each, column) for each in shown) for column in columns}
        counted = [ViewScore(view=-1, **totals, boundary_f=float(np.mean([each.boundary_f for each in shown])))]
    figures = [_figures(each) for each in counted]
    pixels = sum(each.false_positives + each.true_negatives for each in absent)
    return Score(
        **{name: float(np.mean([each[name] for each in figures])) if figures else float("nan") for name in FIGURES},
        strays=sum(each.false_positives for each in absent) / pixels if absent else float("nan"),
        views=len(views),
    )


def mean_score(scores: Iterable[Score]) -> Score:
    """The unweighted mean of objects or scenes; what is nan takes no part."""
    given = list(scores)

    def mean(name: str) -> float:
        values = np.array([getattr(each, name) for each in given], np.float64)
        values = values[np.isfinite(values)]
        return float(values.mean()) if values.size else float("nan")

    return Score(**{name: mean(name) for name in (*FIGURES, "strays")}, views=sum(each.views for each in given))


def paired_interval(one: ArrayLike, other: ArrayLike) -> tuple[float, float, float]:
    """Mean difference of two methods' scores on the same scenes, and the interval that holds it 95 times in 100.

    The interval is a percentile bootstrap over the scenes; the same scores give the same interval.

    Raises:
        ValueError: no scenes, or not as many of either.
    """
    differences = np.array(one, np.float64) - np.array(other, np.float64)
    if not differences.size:
        raise ValueError("paired scores need scenes, as many of one method as of the other")
    drawn = np.random.default_rng(0).integers(len(differences), size=(RESAMPLES, len(differences)))
    low, high = np.quantile(differences[drawn].mean(axis=1), (0.025, 0.975))
    return float(differences.mean()), float(low), float(high)


def _figures(view: ViewScore) -> Mapping[str, float]:
    tp, fp, fn, tn = view.true_positives, view.false_positives, view.false_negatives, view.true_negatives
    recall, rest = tp / (tp + fn), tn / (tn + fp) if tn + fp else 1.0
    return {
        "iou": tp / (tp + fp + fn),
        "recall": recall,
        "class_accuracy": (recall + rest) / 2,
        "pixel_accuracy": (tp + tn) / (tp + fp + fn + tn),
        "boundary_f": view.boundary_f,
    }
