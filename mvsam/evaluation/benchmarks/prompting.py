"""Clicks drawn from masks and scribbles, the same in every run: a seed goes with each object's name."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from mvsam.evaluation.benchmarks.scenes import Click, DatasetError

SEED = 0


def dice(*names: str, seed: int = SEED) -> np.random.Generator:
    """The generator of one object, named by data set, scene and object; independent of all others."""
    return np.random.default_rng([seed, zlib.crc32("/".join(names).encode())])


def clicks_in(
    view: int, region: np.ndarray, count: int, size: tuple[int, int], rng: np.random.Generator, *, positive: bool
) -> list[Click]:
    """Uniformly drawn pixels of a region of one photograph, each at most once while there are enough.

    Args:
        view: of the photograph.
        region: bool [h, w], covering the whole photograph.
        count: of clicks.
        size: (height, width) of the photograph.
        rng: the only source of chance.
        positive: what the clicks are.

    Raises:
        DatasetError: the region is empty.
    """
    pixels = np.flatnonzero(region)
    if not pixels.size:
        raise DatasetError(
            f"view {view}: there is no pixel to draw {'positive' if positive else 'negative'} clicks from"
        )
    chosen = rng.choice(pixels, count, replace=count > pixels.size)
    rows, columns = np.unravel_index(chosen, region.shape)
    x = (columns + 0.5) * size[1] / region.shape[1] - 0.5
    y = (rows + 0.5) * size[0] / region.shape[0] - 0.5
    return [Click(view, float(a), float(b), positive) for a, b in zip(x, y, strict=True)]


def clicks_over_views(
    masks: Mapping[int, np.ndarray],
    sizes: Mapping[int, tuple[int, int]],
    positives: int,
    negatives: int,
    rng: np.random.Generator,
    beside: Mapping[int, np.ndarray] | None = None,
) -> tuple[Click, ...]:
    """The paper's protocol on video data: each click in a view drawn from those whose mask has such pixels.

    Args:
        masks: view to mask, bool [h, w].
        sizes: view to (height, width) of its photograph.
        positives, negatives: how many.
        rng: the only source of chance.
        beside: view to where negative clicks may be, bool [h, w]; by default wherever the object is not.

    Raises:
        DatasetError: no view shows the object, or none shows anything else.
    """
    if beside is None:
        beside = {view: ~mask for view, mask in masks.items()}
    found: list[Click] = []
    for regions, count, positive in ((masks, positives, True), (beside, negatives, False)):
        views: Sequence[int] = [view for view, region in regions.items() if region.any()]
        if count and not views:
            raise DatasetError(
                "no view shows the object"
                if positive
                else "the object fills every view: there is no place for negative clicks"
            )
        for _ in range(count):
            view = int(rng.choice(views))
            found += clicks_in(view, regions[view], 1, sizes[view], rng, positive=positive)
    return tuple(found)
