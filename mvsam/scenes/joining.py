"""Prompts of several clicks as those of one, and of some views only: what a call of the mask decoder is given."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

import numpy as np

from mvsam.pipeline.normalization import NormalizedPrompts
from mvsam.pipeline.prompts import MASK_LOGIT
from mvsam.pipeline.request import PADDING


def portions(views: int, first: Set[int], most: int) -> list[slice]:
    """Runs of consecutive views, those that go first at the beginning, none longer than `most` (at least 1)."""
    runs = []
    for wanted in (True, False):
        run: list[int] = []
        for view in range(views + 1):
            if run and (view == views or (view in first) != wanted or len(run) == max(1, most)):
                runs.append(slice(run[0], run[-1] + 1))
                run = []
            if view < views and (view in first) == wanted:
                run.append(view)
    return runs


def joined(parts: Sequence[NormalizedPrompts]) -> NormalizedPrompts:
    """The prompts of several clicks as those of one, padded."""
    if len(parts) == 1:
        return parts[0]
    length = max(part.prompt_labels.shape[1] for part in parts)

    def stacked(name: str, value: float) -> np.ndarray:
        arrays = [getattr(part, name) for part in parts]
        widths = [(0, 0), (0, length)] + [(0, 0)] * (arrays[0].ndim - 2)
        return np.concatenate([np.pad(each, widths, constant_values=value)[:, :length] for each in arrays])

    before = np.cumsum([0, *(len(part.mask_prompts) - 1 for part in parts)])
    indices = [np.where(part.mask_index, part.mask_index + n, 0) for part, n in zip(parts, before, strict=False)]
    return NormalizedPrompts(
        prompt_points=stacked("prompt_points", 0),
        prompt_low_confidence=stacked("prompt_low_confidence", False),
        prompt_labels=stacked("prompt_labels", PADDING),
        mask_prompts=np.concatenate([parts[0].mask_prompts[:1], *(part.mask_prompts[1:] for part in parts)]),
        mask_index=np.concatenate(indices).astype(np.int32),
    )


def of_objects(prompts: NormalizedPrompts, objects: slice) -> NormalizedPrompts:
    """The prompts of some objects; mask prompts of others stay, and are left out by `in_views`."""
    if (objects.start, objects.stop) == (0, len(prompts.prompt_labels)):
        return prompts
    return replace(
        prompts,
        prompt_points=prompts.prompt_points[objects],
        prompt_low_confidence=prompts.prompt_low_confidence[objects],
        prompt_labels=prompts.prompt_labels[objects],
        mask_index=prompts.mask_index[objects],
    )


def in_views(prompts: NormalizedPrompts, views: slice) -> NormalizedPrompts:
    """Prompts with the mask prompts of some views alone, which the decoder embeds anew in every call."""
    index = prompts.mask_index[:, views]
    rows = np.union1d([0], index)
    return replace(
        prompts, mask_prompts=prompts.mask_prompts[rows], mask_index=np.searchsorted(rows, index).astype(np.int32)
    )


def refining(
    prompts: NormalizedPrompts, formers: Sequence[tuple[int, np.ndarray | None]], views: slice
) -> NormalizedPrompts:
    """Prompts in some views with masks of former answers beside them, where no mask prompt is given.

    A former mask that was empty for certain says nothing: the object may have been overlooked.

    Args:
        prompts: of these views.
        formers: by click, number of objects and logits of its former answer, float32 [O, N, 4E, 4E], perhaps None.
        views: of the N.
    """
    rows, index, place = [prompts.mask_prompts], prompts.mask_index.copy(), 0
    count = len(prompts.mask_prompts)
    for objects, former in formers:
        if former is not None:
            masks = former[:, views].clip(-MASK_LOGIT, MASK_LOGIT)
            own = index[place : place + objects]
            used = (own == 0) & (masks > -MASK_LOGIT).any(axis=(2, 3))
            rows.append(masks[used][:, None])
            own[used] = count + np.arange(used.sum(), dtype=np.int32)
            count += len(rows[-1])
        place += objects
    return replace(prompts, mask_prompts=np.concatenate(rows), mask_index=index) if len(rows) > 1 else prompts
