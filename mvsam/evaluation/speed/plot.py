"""Cost against views as an SVG of two panels with logarithmic axes: clicks and scene encoding."""

import math
from collections.abc import Sequence

from mvsam.evaluation.charts import svg
from mvsam.evaluation.speed.cases import Task
from mvsam.evaluation.speed.measuring import Measured

PANELS = {
    "A click of one prompt": (Task.CLICK, Task.PROPAGATION, Task.ENCODED_PROPAGATION, Task.IMAGE_DECODER),
    "Scene encoding": (Task.PI3, Task.ENCODER, Task.SCENE),
}


def plot(results: Sequence[Measured]) -> str:
    """SVG of the best setting of every runtime and precision."""
    panels = [(title, found) for title, tasks in PANELS.items() if (found := _series(results, tasks))]
    return svg(dict(panels), "views")


def _series(results: Sequence[Measured], tasks: Sequence[Task]) -> dict[str, list[tuple[int, float]]]:
    """Name to views and seconds, in the order of views."""
    best: dict[str, dict[int, float]] = {}
    for each in results:
        if each.case.task in tasks and each.case.prompts <= 1:
            series = best.setdefault(f"{each.case.task}: {each.way.runtime} {each.way.precision}", {})
            views = each.case.views
            series[views] = min(each.seconds.median, series.get(views, math.inf))
    return {name: sorted(series.items()) for name, series in best.items()}
