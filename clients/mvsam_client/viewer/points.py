"""The points that the page draws: pixels of the pointmaps, each of which knows its place in its photograph."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mvsam_client.pictures import colour_of, tint

# What browsers draw fluently, on laptops too.
MOST_POINTS = 300_000


@dataclass(frozen=True, eq=False)
class Points:
    """n points, view after view.

    Attributes:
        views: int [n], ascending.
        rows, columns: int [n], the pointmap's pixel.
        shares: f64 [n, 2], (u, v) in [0, 1): the place in the photograph, as a share of its width and height.
    """

    views: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, chosen: np.ndarray, rects: np.ndarray, stride: int = 1) -> "Points":
        """Those chosen, of every `stride`-th row and column.

        Args:
            chosen: bool [N, H, W]; of photographs, not of the padding around them.
            rects: [N, 4], (x, y, w, h) of the photographs in the pointmaps.
        """
        kept = np.zeros_like(chosen)
        kept[:, stride // 2 :: stride, stride // 2 :: stride] = True
        views, rows, columns = np.nonzero(kept & chosen)
        left, top, width, height = rects[views].T.astype(np.float64)
        shares = np.stack([(columns + 0.5 - left) / width, (rows + 0.5 - top) / height], axis=1)
        return cls(views, rows, columns, shares)

    def of_view(self, view: int) -> slice:
        """Where its points are."""
        return slice(*np.searchsorted(self.views, [view, view + 1]).tolist())

    def sampled(self, view: int, picture: np.ndarray) -> np.ndarray:
        """What a picture of the photograph, [h, w, ...] of any size, holds at the view's points: [m, ...]."""
        height, width = picture.shape[:2]
        u, v = self.shares[self.of_view(view)].T
        return picture[(v * height).astype(np.intp), (u * width).astype(np.intp)]

    def colours(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8 [n, 3] of the photographs, uint8 [h, w, 3] each, of any size."""
        return np.concatenate([self.sampled(view, picture) for view, picture in enumerate(pictures)])

    def tinted(self, colours: np.ndarray, masks: Sequence[Mapping[int, np.ndarray]]) -> np.ndarray:
        """A copy of the colours, those of objects tinted.

        Args:
            colours: uint8 [n, 3].
            masks: for each view, bool [h, w] by object id.
        """
        result = colours.copy()
        for view, by_object in enumerate(masks):
            part = result[self.of_view(view)]
            for object_id, mask in by_object.items():
                tint(part, self.sampled(view, mask), object_colour(object_id))
        return result


def stride_for(points: int, most: int = MOST_POINTS) -> int:
    """The least stride that leaves no more than about so many."""
    return max(1, math.ceil(math.sqrt(points / most)))


def usable(maps: np.ndarray, confidence: np.ndarray, rects: np.ndarray) -> np.ndarray:
    """Which pixels of the pointmaps [N, H, W, 3] can be shown: those of photographs, with finite points."""
    rows, columns = np.arange(maps.shape[1]) + 0.5, np.arange(maps.shape[2]) + 0.5
    left, top, width, height = rects.T[..., None]
    in_rows = (rows >= top) & (rows < top + height)
    in_columns = (columns >= left) & (columns < left + width)
    inside = in_rows[:, :, None] & in_columns[:, None, :]
    return inside & np.isfinite(maps).all(axis=-1) & np.isfinite(confidence)


def certainties(confidence: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """For every pixel the share of the usable ones that are less sure: f32 [N, H, W]; −1 where it is not usable.

    To show those of at least s hides the share s, or more where many are equally unsure. Where all are equally sure it
    is 1 everywhere, so that none is ever hidden.
    """
    values = confidence[usable]
    ordered = np.sort(values)
    result = np.full(confidence.shape, -1, np.float32)
    is_flat = not ordered.size or ordered[0] == ordered[-1]
    result[usable] = 1 if is_flat else np.searchsorted(ordered, values) / ordered.size
    return result


def object_colour(object_id: int) -> tuple[int, int, int]:
    """Objects count from 1 here."""
    return colour_of(object_id - 1)
