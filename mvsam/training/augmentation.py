"""Augmentation of one training view: crops that change the size of objects, mirroring, light, plain backgrounds."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from mvsam.pipeline.request import Geometry

SMALLEST_CROP = 32  # pixels along a side


@dataclass(frozen=True, eq=False)
class View:
    """One photograph and what is known of its pixels.

    Attributes:
        photograph: uint8 [h, w, 3].
        masks: bool [K, h, w].
        geometry: of this one view, covering the photograph.
    """

    photograph: np.ndarray
    masks: np.ndarray
    geometry: Geometry


@dataclass(frozen=True)
class Augmentation:
    """How much a view is varied each time it is seen; shares are probabilities.

    Attributes:
        cropped: share of the views that are cropped; half of the crops are drawn around an object, so that objects
            of every size are seen, up to one that fills the picture.
        smallest: the smallest share of the photograph's area that a free crop keeps.
        mirrored: share of the views that are mirrored; points keep their frame, which is arbitrary.
        light: standard deviation of the logarithm of the gain, and of contrast and saturation.
        blurred: share of the views that lose their finest detail.
        plain: share of the views whose background around an object becomes black, white or grey.
    """

    cropped: float = 0.0
    smallest: float = 0.15
    mirrored: float = 0.5
    light: float = 0.1
    blurred: float = 0.0
    plain: float = 0.0


def augmented(view: View, augmentation: Augmentation, rng: np.random.Generator) -> View:
    """Returns a varied copy of a view; masks may be empty afterwards.

    Args:
        view: not changed.
        augmentation: how much.
        rng: the only source of chance.
    """
    if rng.random() < augmentation.plain:
        view = _plain_background(view, rng)
    if rng.random() < augmentation.cropped:
        view = cropped(view, _window(view.masks, augmentation.smallest, rng))
    if rng.random() < augmentation.mirrored:
        geometry = of_pixels(view.geometry, np.s_[:, :, ::-1])
        view = View(view.photograph[:, ::-1], view.masks[:, :, ::-1], geometry)
    photograph = _relit(view.photograph, augmentation.light, rng)
    if rng.random() < augmentation.blurred:
        photograph = cv2.GaussianBlur(photograph, (0, 0), rng.uniform(0.5, 2.0))
    return replace(view, photograph=photograph)


def cropped(view: View, window: tuple[int, int, int, int]) -> View:
    """Returns the part of a view inside a window.

    Args:
        view: not changed.
        window: top, left, height and width in pixels of the photograph. Points keep their number: those of the window
            are repeated to fill the map, as nearest neighbours.
    """
    top, left, height, width = window
    h, w = view.photograph.shape[:2]
    rows = _nearest(top / h, (top + height) / h, view.geometry.valid.shape[1])
    columns = _nearest(left / w, (left + width) / w, view.geometry.valid.shape[2])
    inside = slice(top, top + height), slice(left, left + width)
    geometry = of_pixels(view.geometry, np.s_[:, rows[:, None], columns])
    return View(view.photograph[inside], view.masks[:, *inside], geometry)


def of_pixels(geometry: Geometry, index: Any) -> Geometry:
    """Returns the geometry of an index over views, rows and columns."""
    return Geometry(geometry.points[index], geometry.confidence[index], geometry.valid[index])


def _nearest(start: float, stop: float, length: int) -> np.ndarray:
    """Indices of `length` evenly spaced samples of an axis of `length` between two shares of it."""
    centres = start + (stop - start) * (np.arange(length) + 0.5) / length
    return np.minimum((centres * length).astype(np.int64), length - 1)


def _window(masks: np.ndarray, smallest: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draws a crop: anywhere, or around an object that then fills a random share of it."""
    height, width = masks.shape[1:]
    if len(masks) and rng.random() < 0.5:
        mask = masks[int(rng.integers(len(masks)))]
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if rows.size:
            reach = np.exp(rng.uniform(0.0, 1.6))  # the crop's side over the object's
            extent = (rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0])
            h = int(min(height, max(SMALLEST_CROP, extent[0] * reach)))
            w = int(min(width, max(SMALLEST_CROP, extent[1] * reach)))
            h, w = int(min(height, max(h, w / 2))), int(min(width, max(w, h / 2)))
            top = rng.integers(*_range(rows[0], rows[-1] + 1, h, height))
            left = rng.integers(*_range(columns[0], columns[-1] + 1, w, width))
            return int(top), int(left), h, w
    area = rng.uniform(smallest, 1.0)
    aspect = np.exp(rng.uniform(-0.35, 0.35))
    h = int(np.clip(height * np.sqrt(area * aspect), min(SMALLEST_CROP, height), height))
    w = int(np.clip(width * np.sqrt(area / aspect), min(SMALLEST_CROP, width), width))
    return int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w


def _range(start: int, stop: int, length: int, limit: int) -> tuple[int, int]:
    """Bounds for `integers` of the first pixel of a window that contains [start, stop), or lies inside it."""
    low, high = sorted((stop - length, start))
    low, high = max(0, min(low, limit - length)), max(0, min(high, limit - length))
    return low, high + 1


def _plain_background(view: View, rng: np.random.Generator) -> View:
    """An object cut out and laid on one colour, as on a studio table; other masks keep what is left of them."""
    if not len(view.masks):
        return view
    kept = view.masks[int(np.argmax(view.masks.sum((1, 2))))]
    colour = rng.choice([0, 255, int(rng.integers(40, 216))])
    soft = cv2.GaussianBlur(kept.astype(np.float32), (0, 0), 0.8)[..., None]
    photograph = (view.photograph * soft + colour * (1 - soft) + 0.5).astype(np.uint8)
    return replace(view, photograph=photograph, masks=view.masks & kept)


def _relit(photograph: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """The photograph under other light and with another camera's contrast and saturation: uint8 [h, w, 3]."""
    gain = np.exp(deviation * (rng.standard_normal() + 0.5 * rng.standard_normal(3)))
    contrast, saturation = np.exp(deviation * rng.standard_normal(2))
    colour = (saturation * np.eye(3) + (1 - saturation) / 3) * gain  # all of it is one affine map of a pixel's colour
    middle = float((colour @ photograph.mean((0, 1))).mean())
    matrix = np.column_stack([contrast * colour, np.full(3, (1 - contrast) * middle)])
    return cv2.transform(np.ascontiguousarray(photograph), matrix)
