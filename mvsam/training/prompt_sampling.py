"""Prompts drawn from exact masks during training: clicks, and mask prompts with errors (the paper's appendix A)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import cv2
import numpy as np

from mvsam.pipeline.request import NEGATIVE, POSITIVE

NEAR = 15  # pixels around an object in which half of the negative clicks fall


class DenseReading(StrEnum):
    """Two readings of "randomly drop 80 % of the ground-truth mask and perturb 20 %"."""

    AREA = "area"  # 80 % of the mask's area goes, in blocks; 20 % of what is left is flipped
    SAMPLES = "samples"  # 80 % of the samples get no mask prompt; in the others 20 % of the mask is flipped


@dataclass(frozen=True)
class PromptSampling:
    """How prompts are drawn; the defaults are the paper's.

    Attributes:
        clicks: at most so many clicks an object.
        fewest: at least so many; the number is drawn anew for each object.
        negative_share: the largest share of clicks off the object.
        dense_share: share of the objects that are prompted by a mask besides.
        reading: how masks are damaged before they are given.
        central_share: share of the objects whose first click falls where the mask is widest, as a user's does.
    """

    clicks: int = 10
    fewest: int = 10
    negative_share: float = 0.1
    dense_share: float = 0.0
    reading: DenseReading = DenseReading.AREA
    central_share: float = 0.0


class Clicks(NamedTuple):
    """Pixels clicked on, in the mask's own raster."""

    rows: np.ndarray  # int64 [P]
    columns: np.ndarray  # int64 [P]
    labels: np.ndarray  # int32 [P]


def sample_clicks(
    mask: np.ndarray, allowed: np.ndarray, sampling: PromptSampling, rng: np.random.Generator
) -> Clicks | None:
    """Clicks on and off one object; None where no click can fall on it.

    Args:
        mask: bool [h, w].
        allowed: bool [h, w], pixels with geometry.
        sampling: how many of which kind.
        rng: the only source of chance.
    """
    on = np.flatnonzero(mask & allowed)
    if not on.size:
        return None
    total = int(rng.integers(sampling.fewest, sampling.clicks + 1))
    off = np.flatnonzero(~mask & allowed)
    negatives = int(rng.integers(0, int(total * sampling.negative_share) + 1)) if off.size else 0
    beside = np.flatnonzero(_grown(mask, NEAR) & ~mask & allowed) if negatives else off
    pool = beside if beside.size and rng.random() < 0.5 else off
    chosen = np.concatenate([rng.choice(on, total - negatives), rng.choice(pool, negatives) if negatives else on[:0]])
    if rng.random() < sampling.central_share:
        within = cv2.distanceTransform(np.pad(mask & allowed, 1).astype(np.uint8), cv2.DIST_L2, 5)
        chosen[0] = within[1:-1, 1:-1].argmax()
    labels = np.repeat(np.array([POSITIVE, NEGATIVE], np.int32), [total - negatives, negatives])
    return Clicks(*np.divmod(chosen, mask.shape[1]), labels)


def damaged_mask(
    mask: np.ndarray,
    reading: DenseReading,
    rng: np.random.Generator,
    *,
    dropped: float = 0.8,
    flipped: float = 0.2,
    blocks: int = 8,
) -> np.ndarray | None:
    """A mask prompt as a careless user gives it; None where the reading gives none, or nothing is left.

    Args:
        mask: bool [h, w], exact.
        reading: which of the paper's readings.
        rng: the only source of chance.
        dropped: share of the mask's area, or of the samples, that goes.
        flipped: share of the rest, and of its surroundings, that is turned into its opposite.
        blocks: the mask's extent is cut into blocks x blocks pieces, which go or stay whole.
    """
    if reading is DenseReading.SAMPLES and rng.random() < dropped:
        return None
    kept = mask & ~_pieces(mask, dropped, blocks, rng) if reading is DenseReading.AREA else mask
    damaged = kept ^ (_pieces(mask, flipped, blocks, rng) & (kept | (_grown(mask, 5) & ~mask)))
    return damaged if damaged.any() else None


def _pieces(mask: np.ndarray, share: float, blocks: int, rng: np.random.Generator) -> np.ndarray:
    """A random share of the pieces that a mask's surroundings are cut into: bool [h, w]."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    chosen = np.zeros(mask.shape, bool)
    if rows.size:
        top, bottom = max(rows[0] - 5, 0), min(rows[-1] + 6, mask.shape[0])
        left, right = max(columns[0] - 5, 0), min(columns[-1] + 6, mask.shape[1])
        coarse = (rng.random((blocks, blocks)) < share).astype(np.uint8)
        size = (int(right - left), int(bottom - top))
        chosen[top:bottom, left:right] = cv2.resize(coarse, size, interpolation=cv2.INTER_NEAREST) > 0
    return chosen


def _grown(mask: np.ndarray, by: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8)) > 0
