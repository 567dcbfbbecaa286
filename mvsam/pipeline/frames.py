"""Where a photograph's pixels lie in the other pixel frames of its view.

Pixel centres of a photograph are at integers; u = (x + 0.5) / w and v = (y + 0.5) / h in [0, 1) are the same point in
every frame. The geometry frame is the pointmap's H×W, one size for all views; a photograph fills its rectangle in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from PIL import Image

from mvsam.pipeline.request import PADDING, Prompts


@dataclass(frozen=True)
class Frame:
    """One view's photograph (height, width) and its rectangle (x, y, w, h) in the geometry frame, in pixels."""

    size: tuple[int, int]
    rect: tuple[float, float, float, float]

    @classmethod
    def of_views(cls, image_sizes: np.ndarray, geometry_rects: np.ndarray) -> list[Frame]:
        """From int32 [N, 2] (h, w) and float32 [N, 4] (x, y, w, h)."""
        return [
            cls((int(h), int(w)), (float(a), float(b), float(c), float(d)))
            for (h, w), (a, b, c, d) in zip(image_sizes, geometry_rects, strict=True)
        ]

    def geometry_pixels(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column (int64 [...]) of the geometry pixel under each point (x, y) [..., 2] of the photograph."""
        height, width = self.size
        points = np.asarray(points, np.float64)
        return self.at((points[..., 0] + 0.5) / width, (points[..., 1] + 0.5) / height)

    def at(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column (int64) of the geometry pixel under normalised photograph coordinates."""
        rows, columns = self.extent
        left, top, width, height = self.rect
        row = np.floor(top + np.asarray(v) * height).astype(np.int64)
        column = np.floor(left + np.asarray(u) * width).astype(np.int64)
        return np.clip(row, rows.start, rows.stop - 1), np.clip(column, columns.start, columns.stop - 1)

    def grid_pixels(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Row and column (int64 [E, E]) of the geometry pixel at the centre of each cell of the embedding grid."""
        centres = (np.arange(side) + 0.5) / side
        return self.at(*np.meshgrid(centres, centres))

    @property
    def extent(self) -> tuple[slice, slice]:
        """Rows and columns of the geometry frame whose pixel centres the photograph covers."""
        left, top, width, height = self.rect
        rows = slice(int(np.ceil(top - 0.5)), int(np.ceil(top + height - 0.5)))
        columns = slice(int(np.ceil(left - 0.5)), int(np.ceil(left + width - 0.5)))
        return rows, columns


def click_pixels(prompts: Prompts, frames: Sequence[Frame]) -> tuple[np.ndarray, np.ndarray]:
    """Row and column (int64 [O, P]) of the geometry pixel under each click, in its own view; zeros for padding."""
    pixels = np.zeros((2, *prompts.point_labels.shape), np.int64)
    used = prompts.point_labels != PADDING
    for view in set(prompts.point_views[used].tolist()):
        here = used & (prompts.point_views == view)
        pixels[:, here] = frames[view].geometry_pixels(prompts.points[here])
    return pixels[0], pixels[1]


def geometry_size(aspect: float, pixels: int, patch: int) -> tuple[int, int]:
    """π³'s size rule: (height, width), multiples of the patch within so many pixels, for an aspect ratio (w / h)."""
    width, height = sqrt(pixels * aspect), sqrt(pixels / aspect)
    columns, rows = max(1, round(width / patch)), max(1, round(height / patch))
    while columns * rows * patch * patch > pixels and columns * rows > 1:
        if rows == 1 or (columns > 1 and columns / rows > width / height):
            columns -= 1
        else:
            rows -= 1
    return rows * patch, columns * patch


def scene_size(image_sizes: Sequence[tuple[int, int]], pixels: int, patch: int) -> tuple[int, int]:
    """The geometry size (height, width) of a scene: that of its median aspect ratio."""
    return geometry_size(scene_aspect(image_sizes), pixels, patch)


def scene_aspect(image_sizes: Sequence[tuple[int, int]]) -> float:
    """Returns the median aspect ratio (w / h) of photographs (h, w), in whatever order."""
    aspects = sorted(width / height for height, width in image_sizes)
    return sqrt(aspects[(len(aspects) - 1) // 2] * aspects[len(aspects) // 2])


def photograph_rect(
    size: tuple[int, int], scene: tuple[int, int], pixels: int, patch: int
) -> tuple[int, int, int, int]:
    """The rectangle (x, y, w, h) of a photograph in the geometry frame.

    A photograph whose own geometry size is the scene's fills it, slightly stretched, as π³ is trained; another keeps
    its aspect ratio, centred, and leaves the rest black.
    """
    height, width = scene
    if geometry_size(size[1] / size[0], pixels, patch) == scene:
        return 0, 0, width, height
    scale = min(width / size[1], height / size[0])
    fitted_width = min(width, max(1, round(size[1] * scale)))
    fitted_height = min(height, max(1, round(size[0] * scale)))
    return (width - fitted_width) // 2, (height - fitted_height) // 2, fitted_width, fitted_height


def geometry_image(photograph: np.ndarray, rect: tuple[int, int, int, int], scene: tuple[int, int]) -> np.ndarray:
    """Lays an upright photograph (uint8 [h, w, 3]) into its rectangle: float32 [3, H, W] in [0, 1], black around it."""
    left, top, width, height = rect
    resized = Image.fromarray(photograph).resize((width, height), Image.Resampling.LANCZOS)
    canvas = np.zeros((3, *scene), np.float32)
    canvas[:, top : top + height, left : left + width] = np.asarray(resized).transpose(2, 0, 1)
    canvas /= np.float32(255)
    return canvas
