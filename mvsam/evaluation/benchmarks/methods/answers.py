"""Between the harness and the pipeline: clicks as prompts, logits as masks."""

from collections.abc import Sequence

import numpy as np

from mvsam.evaluation.benchmarks.scenes import Click
from mvsam.pipeline.postprocessing import ResizedLogits, finished
from mvsam.pipeline.request import NEGATIVE, POSITIVE, Prompts

Size = tuple[int, int]  # (height, width) of an upright photograph


def prompts_of(clicks: Sequence[Click]) -> Prompts:
    """The clicks on one object."""
    return Prompts.of(
        np.array([[(click.x, click.y) for click in clicks]], np.float32),
        np.array([[POSITIVE if click.positive else NEGATIVE for click in clicks]], np.int32),
        np.array([[click.view for click in clicks]], np.int32),
    )


def masks_of(logits: np.ndarray, sizes: Sequence[Size], clicks: Sequence[Click]) -> list[np.ndarray]:
    """Masks at the photographs' own sizes, finished as the service finishes them.

    Args:
        logits: float32 [N, 4E, 4E].
        sizes: of the N photographs.
        clicks: whose positive ones keep the regions under them.

    Returns:
        N of bool [h, w].
    """
    kept = [
        [(click.x, click.y) for click in clicks if click.view == view and click.positive] for view in range(len(sizes))
    ]
    return [
        finished(ResizedLogits(each, size), np.array(points, np.float64).reshape(-1, 2))
        for each, size, points in zip(logits, sizes, kept, strict=True)
    ]
