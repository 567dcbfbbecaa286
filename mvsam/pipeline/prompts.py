"""Prompts lifted to 3-D: clicks, boxes and masks all become labelled points that reach every view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvsam.pipeline.depths import dominant_mode, estimate_depth
from mvsam.pipeline.frames import Frame, click_pixels
from mvsam.pipeline.regions import averaged, box_extent, mask_share
from mvsam.pipeline.request import NEGATIVE, PADDING, POSITIVE, Geometry, Prompts
from mvsam.pipeline.spreading import spread_pixels

BOX_POSITIVES = 8
MASK_POSITIVES = 8
MASK_NEGATIVES = 2
BOX_POINTS = BOX_POSITIVES + 4  # that a box becomes at most: a negative beside each edge
MASK_POINTS = MASK_POSITIVES + MASK_NEGATIVES  # likewise
MASK_LOGIT = 10.0  # SAM2 turns a mask m in [0, 1] that is given as a prompt into logits 20 m - 10

_BOX_MARGIN = 0.05  # how far outside a box its negatives lie, as a part of its side


@dataclass(frozen=True)
class LiftedPoints:
    """Points of O objects, Q each: clicks first, in their order, then those of boxes, then those of masks.

    Attributes:
        points: float32 [O, Q, 3], in the geometry's frame; zeros where padded.
        low_confidence: bool [O, Q].
        labels: int32 [O, Q]; -1 where padded.
    """

    points: np.ndarray
    low_confidence: np.ndarray
    labels: np.ndarray


def lift_prompts(
    prompts: Prompts, masks: Sequence[np.ndarray], geometry: Geometry, low: np.ndarray, frames: Sequence[Frame]
) -> LiftedPoints:
    """Lifts every prompt to the 3-D points under it.

    Args:
        prompts: checked; every click on valid geometry, a valid pixel in every box and mask.
        masks: the M mask prompts, bool, each of its photograph's size.
        geometry: N views; `valid` excludes the padding of photographs that do not fill their map.
        low: bool [N, H, W], low confidence.
        frames: of the N views.
    """
    derived: list[list[np.ndarray]] = [[] for _ in range(prompts.objects)]  # label, view, row and column, [k, 4] each
    depths = {int(view): estimate_depth(geometry.points[view], geometry.valid[view]) for view in set(prompts.box_views)}
    for index, box in enumerate(prompts.boxes):
        view = int(prompts.box_views[index])
        cues = _box_pixels(box, frames[view], geometry.valid[view], depths[view])
        derived[prompts.box_objects[index]].append(np.insert(cues, 1, view, axis=1))
    for index, mask in enumerate(masks):
        view = int(prompts.mask_views[index])
        cues = _mask_pixels(mask, frames[view], geometry.valid[view], low[view])
        derived[prompts.mask_objects[index]].append(np.insert(cues, 1, view, axis=1))

    objects, clicks = prompts.point_labels.shape
    length = clicks + max(sum(len(cues) for cues in parts) for parts in derived)
    pixels = np.zeros((objects, length, 4), np.int64)
    pixels[..., 0] = PADDING
    pixels[:, :clicks] = np.stack([prompts.point_labels, prompts.point_views, *click_pixels(prompts, frames)], axis=2)
    for index, parts in enumerate(derived):
        place = clicks
        for cues in parts:
            pixels[index, place : place + len(cues)] = cues
            place += len(cues)
    labels = pixels[..., 0].astype(np.int32)
    pixels[labels == PADDING, 1:] = 0
    view, row, column = np.moveaxis(pixels[..., 1:], -1, 0)
    return LiftedPoints(
        points=np.where((labels == PADDING)[..., None], np.float32(0), geometry.points[view, row, column]),
        low_confidence=(labels != PADDING) & low[view, row, column],
        labels=labels,
    )


def dense_prompts(
    prompts: Prompts, masks: Sequence[np.ndarray], views: int, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """The mask prompts as the decoder takes them.

    Args:
        prompts: checked.
        masks: the M mask prompts, bool.
        views: N.
        side: of the decoder's frame, 4E; masks are averaged down to it, aspect ratio not kept.

    Returns:
        Logits float32 [M+1, 1, 4E, 4E], row 0 zeros; the row for each object and view int32 [O, N], 0 for none.
    """
    rows = np.zeros((len(masks) + 1, 1, side, side), np.float32)
    index = np.zeros((prompts.objects, views), np.int32)
    for place, mask in enumerate(masks, start=1):
        rows[place, 0] = 2 * MASK_LOGIT * averaged(mask, side, side) - MASK_LOGIT
        index[prompts.mask_objects[place - 1], prompts.mask_views[place - 1]] = place
    return rows, index


def _box_pixels(box: np.ndarray, frame: Frame, valid: np.ndarray, depth: np.ndarray | None) -> np.ndarray:
    """Label, row and column, int64 [k, 3]: positives on the surface that dominates the box, negatives beside it."""
    within = box_extent(box, frame)
    inside = np.zeros_like(valid)
    inside[within] = valid[within]
    surface = valid if depth is None else _within(depth, *dominant_mode(depth[inside]))
    positives = spread_pixels(inside & surface, BOX_POSITIVES)
    outside = _beside(box, frame)
    rows, columns = frame.geometry_pixels(outside)
    background = valid[rows, columns]
    if depth is not None:  # beside the box, but maybe on the same object: the surface decides
        background &= ~surface[rows, columns]
    covered = np.zeros_like(valid)
    covered[within] = True
    background &= ~covered[rows, columns]
    negatives = np.stack([rows, columns], axis=1)[background]
    return np.concatenate([_labelled(POSITIVE, positives), _labelled(NEGATIVE, negatives)])


def _beside(box: np.ndarray, frame: Frame) -> np.ndarray:
    """Points (x, y) of the photograph just outside the middle of each edge of a box, where the picture goes on."""
    height, width = frame.size
    x0, y0, x1, y1 = box.astype(np.float64)
    across = max(_BOX_MARGIN * (x1 - x0), 2 * width / frame.rect[2])  # at least two pixels of the pointmap
    down = max(_BOX_MARGIN * (y1 - y0), 2 * height / frame.rect[3])
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    points = np.array([(x, y0 - down), (x0 - across, y), (x1 + across, y), (x, y1 + down)])
    inside = (points >= -0.5).all(axis=1) & (points < (width - 0.5, height - 0.5)).all(axis=1)
    return points[inside]


def _mask_pixels(mask: np.ndarray, frame: Frame, valid: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Label, row and column, int64 [k, 3]: positives inside the mask, negatives outside, confident ones if any."""
    share = mask_share(mask, frame, valid.shape)
    inside = valid & (share > 0.5)
    if not inside.any():  # a mask finer than the pointmap
        inside = valid & (share > 0)
    picked = []
    for label, region, count in ((POSITIVE, inside, MASK_POSITIVES), (NEGATIVE, valid & (share == 0), MASK_NEGATIVES)):
        confident = region & ~low
        picked.append(_labelled(label, spread_pixels(confident if confident.any() else region, count)))
    return np.concatenate(picked)


def _labelled(label: int, pixels: np.ndarray) -> np.ndarray:
    return np.concatenate([np.full((len(pixels), 1), label, np.int64), pixels], axis=1)


def _within(depth: np.ndarray, low: float, high: float) -> np.ndarray:
    """Pixels between two depths; those without depth (NaN) are not."""
    return (depth >= low) & (depth <= high)
