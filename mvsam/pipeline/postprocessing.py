"""Logits to masks at each photograph's own size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from mvsam.pipeline.checks import check_image_sizes
from mvsam.pipeline.encodings import MaskEncoding, encode_mask
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.prompt_checks import check_clicks
from mvsam.pipeline.request import POSITIVE, Prompts

__all__ = ["MaskEncoding", "Postprocessed", "postprocess"]

SPRINKLE = 0.001  # regions smaller than this part of the photograph are dropped
WHOLE = 2**24  # pixels of a photograph whose logits are resized at once: of 50 megapixels they take 200 MB
BAND = 2**21  # pixels that are looked at together


@dataclass(frozen=True)
class Postprocessed:
    """Masks of O objects in N views.

    Attributes:
        masks: object [O, N] of bytes, each encoded at its photograph's size.
        scores: float32 [O, N], the mean probability inside the mask; 0 where it is empty.
        areas: int64 [O, N], pixels of the photograph.
    """

    masks: np.ndarray
    scores: np.ndarray
    areas: np.ndarray


def postprocess(
    mask_logits: np.ndarray,
    image_sizes: np.ndarray,
    prompts: Prompts,
    encoding: MaskEncoding,
    max_image_pixels: int = Limits.max_image_pixels,
) -> Postprocessed:
    """Upsamples, thresholds, drops sprinkles and encodes.

    Args:
        mask_logits: float32 [O, N, h, w].
        image_sizes: int32 [N, 2], (h, w) of the photographs.
        prompts: of O objects, whose positive clicks keep the regions under them; they may be empty.
        encoding: of the masks.
        max_image_pixels: as in `Limits`.

    Raises:
        RequestError: shapes that contradict each other, or a click outside its photograph.
    """
    if mask_logits.ndim != 4 or 0 in mask_logits.shape[2:] or image_sizes.shape != (mask_logits.shape[1], 2):
        raise RequestError(
            f"mask_logits has shape {list(mask_logits.shape)}, IMAGE_SIZES {list(image_sizes.shape)}; "
            "give [objects, views, h, w], h and w at least 1, and [views, 2]"
        )
    check_image_sizes(image_sizes, max_image_pixels)
    objects, views = mask_logits.shape[:2]
    if prompts.objects != objects:
        raise RequestError(f"POINTS holds {prompts.objects} objects, mask_logits {objects}; give the same")
    check_clicks(prompts, image_sizes)
    result = Postprocessed(
        masks=np.empty((objects, views), object),
        scores=np.zeros((objects, views), np.float32),
        areas=np.zeros((objects, views), np.int64),
    )
    for index, view in np.ndindex(objects, views):
        height, width = (int(side) for side in image_sizes[view])
        clicked = (prompts.point_labels[index] == POSITIVE) & (prompts.point_views[index] == view)
        logits = ResizedLogits(mask_logits[index, view], (height, width))
        mask = finished(logits, prompts.points[index, clicked])
        result.areas[index, view], result.scores[index, view] = _area_and_score(mask, logits)
        result.masks[index, view] = encode_mask(mask, encoding)
    return result


class ResizedLogits:
    """Yields bands of rows of one mask's logits at its photograph's size, as cv2.resize interpolates them.

    Those of a large photograph are interpolated anew in each iteration, and never all in memory.

    Args:
        logits: float32 [h, w] of any size.
        size: (height, width) of the photograph.
    """

    def __init__(self, logits: np.ndarray, size: tuple[int, int]) -> None:
        self.size = height, width = size
        rows = height if height * width <= WHOLE else len(logits)
        self._resized = cv2.resize(logits, (width, rows), interpolation=cv2.INTER_LINEAR)

    def __iter__(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yields rows of the photograph and their logits, float32 [rows, width]."""
        height, have = self.size[0], len(self._resized)
        if have == height:
            for rows in _bands(self.size):
                yield rows, self._resized[rows]
            return
        place = ((np.arange(height) + 0.5) * have / height - 0.5).clip(0, have - 1)
        above = np.floor(place).astype(np.int64)
        weight = (place - above).astype(np.float32)[:, None]
        for row in np.unique(above):  # of the logits; the photograph's rows below it are interpolated together
            start, stop = np.searchsorted(above, (row, row + 1))
            resized = (1 - weight[start:stop]) * self._resized[row]
            resized += weight[start:stop] * self._resized[min(row + 1, have - 1)]
            yield slice(int(start), int(stop)), resized


def finished(logits: ResizedLogits, clicks: np.ndarray) -> np.ndarray:
    """Returns one mask at the size of its photograph, bool [height, width].

    Args:
        logits: of the mask.
        clicks: float [k, 2], (x, y) of the positive clicks in this picture.
    """
    mask = np.empty(logits.size, bool)
    for rows, resized in logits:
        np.greater(resized, 0, out=mask[rows])
    return without_sprinkles(mask, clicks)


def without_sprinkles(mask: np.ndarray, clicks: np.ndarray) -> np.ndarray:
    """Drops regions (8-connected) under 0.1 % of the picture, but none that holds a positive click.

    Args:
        mask: bool [h, w].
        clicks: float [k, 2], (x, y) of the positive clicks in this picture.

    Returns:
        bool [h, w].
    """
    across, down = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not across.size:
        return mask
    left, top = int(across[0]), int(down[0])
    part = mask[top : down[-1] + 1, left : across[-1] + 1]  # often far smaller than the picture
    _, labelled, statistics, _ = cv2.connectedComponentsWithStats(part.view(np.uint8), connectivity=8)
    regions: np.ndarray = np.asarray(labelled)
    kept = statistics[:, cv2.CC_STAT_AREA] >= SPRINKLE * mask.size
    columns, rows = np.floor(clicks + 0.5).astype(np.int64).T
    on_mask = mask[rows, columns]
    kept[regions[rows[on_mask] - top, columns[on_mask] - left]] = True
    kept[0] = False  # the background
    if kept[1:].all():
        return mask
    cleared = np.zeros_like(mask)
    cleared_part = cleared[top : down[-1] + 1, left : across[-1] + 1]
    for rows in _bands(regions.shape):
        cleared_part[rows] = kept.take(regions[rows], mode="clip")
    return cleared


def _area_and_score(mask: np.ndarray, logits: ResizedLogits) -> tuple[int, float]:
    """Returns the pixels of a mask and their mean probability, 0 where there is none."""
    area, total = 0, 0.0
    for rows, resized in logits:
        inside = resized[mask[rows]]
        area += inside.size
        total += float((1 / (1 + np.exp(-inside))).sum(dtype=np.float64))
    return area, total / area if area else 0.0


def _bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows of a picture, some at a time."""
    height, width = shape
    step = max(1, BAND // width)
    return (slice(top, top + step) for top in range(0, height, step))
