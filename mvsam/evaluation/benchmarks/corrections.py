"""How a mask gets better, or does not, with each click that corrects it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from mvsam.evaluation.benchmarks.corrective_clicks import next_click
from mvsam.evaluation.benchmarks.methods.method import Prepared, Refining
from mvsam.evaluation.benchmarks.scenes import Click, Target
from mvsam.evaluation.benchmarks.scoring import intersection_over_union

CLICKED_VIEWS = 2


class Feedback(StrEnum):
    """What a method is given beside all clicks so far."""

    NOTHING = "clicks alone"
    PREVIOUS = "with `previous`"  # its last answer as mask prompts


@dataclass(frozen=True)
class Corrections:
    """What came of clicking on one object again and again.

    Attributes:
        clicks: in their order; fewer than were asked for where no error was left in the views that are clicked on.
        clicked_views: which these are.
        ious: after each click, by view: all that are scored and show the object, and the clicked ones.
    """

    clicks: tuple[Click, ...]
    clicked_views: tuple[int, ...]
    ious: tuple[Mapping[int, float], ...]

    def mean_ious(self, count: int, *, are_clicked_counted: bool) -> list[float]:
        """Returns the mean IoU over views after 1 to `count` clicks; that after the last click goes on.

        Args:
            count: of clicks.
            are_clicked_counted: whether all views count, or only those that are never clicked on; nan where none is
                left.
        """
        means = []
        for by_view in self.ious:
            counted = [iou for view, iou in by_view.items() if are_clicked_counted or view not in self.clicked_views]
            means.append(float(np.mean(counted)) if counted else float("nan"))
        return [means[min(index, len(means) - 1)] for index in range(count)]


def corrections(
    prepared: Prepared,
    target: Target,
    sizes: Sequence[tuple[int, int]],
    valid: np.ndarray | None,
    count: int,
) -> dict[str, Corrections]:
    """Corrects a method's masks of one object, each way of asking on its own.

    The clicks are in the first two views that the data set's own positive clicks are in and that have an exact mask.

    Args:
        prepared: is asked about views as the data set counts them.
        target: the object.
        sizes: (height, width) of the N photographs.
        valid: bool [N, H, W], where there is geometry, and clicks are possible; None for everywhere.
        count: of clicks.

    Returns:
        By `Feedback`; none where the object cannot be clicked on.
    """
    named = dict.fromkeys(click.view for click in target.clicks if click.positive and click.view in target.truth)
    clicked = tuple(sorted([view for view in named if target.truth[view]().any()][:CLICKED_VIEWS]))
    truth = {view: _fitted(target.truth[view](), sizes[view]) for view in clicked}
    known = np.ones((len(sizes), 1, 1), bool) if valid is None else valid
    clickable = {view: _fitted(known[view], sizes[view]) for view in clicked}
    scored = {view: target.truth[view]() for view in sorted({*target.scored, *clicked})}
    scored = {view: exact for view, exact in scored.items() if exact.any()}
    ways: dict[str, Callable[[Sequence[Click]], list[np.ndarray]]] = {Feedback.NOTHING: prepared.masks}
    if isinstance(prepared, Refining):
        ways[Feedback.PREVIOUS] = _feeding_back(prepared)
    found = {str(name): _corrected(ask, clicked, truth, clickable, scored, count) for name, ask in ways.items()}
    return {name: each for name, each in found.items() if each.clicks}


def _feeding_back(prepared: Refining) -> Callable[[Sequence[Click]], list[np.ndarray]]:
    """Asks, and with every further call refines the last answer."""
    former: object = None

    def ask(clicks: Sequence[Click]) -> list[np.ndarray]:
        nonlocal former
        masks, former = prepared.refined(clicks, former)
        return masks

    return ask


def _corrected(
    ask: Callable[[Sequence[Click]], list[np.ndarray]],
    clicked: tuple[int, ...],
    truth: Mapping[int, np.ndarray],
    clickable: Mapping[int, np.ndarray],
    scored: Mapping[int, np.ndarray],
    count: int,
) -> Corrections:
    found = {view: np.zeros_like(exact) for view, exact in truth.items()}
    clicks: list[Click] = []
    ious: list[Mapping[int, float]] = []
    while len(clicks) < count and (click := next_click(found, truth, clickable, clicks)):
        clicks.append(click)
        masks = ask(clicks)
        found = {view: masks[view] for view in clicked}
        ious.append({view: intersection_over_union(masks[view], exact) for view, exact in scored.items()})
    return Corrections(tuple(clicks), clicked, tuple(ious))


def _fitted(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask over the whole photograph, bool [h, w] of any size, at the photograph's."""
    return cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT) > 0
