"""Which pixels of a pointmap a box or a mask covers."""

from __future__ import annotations

import cv2
import numpy as np

from mvsam.pipeline.frames import Frame


def box_extent(box: np.ndarray, frame: Frame) -> tuple[slice, slice]:
    """Rows and columns of the geometry frame under a box (x0, y0, x1, y1) of the photograph; never empty."""
    (top, bottom), (left, right) = frame.geometry_pixels(box.reshape(2, 2))
    return slice(int(top), int(bottom) + 1), slice(int(left), int(right) + 1)


def mask_share(mask: np.ndarray, frame: Frame, shape: tuple[int, ...]) -> np.ndarray:
    """The part of each geometry pixel that a mask covers.

    Args:
        mask: bool, of the photograph's size.
        frame: of its view.
        shape: H, W.

    Returns:
        float32 [H, W] in [0, 1]; 0 outside the photograph.
    """
    rows, columns = frame.extent
    share = np.zeros(shape, np.float32)
    share[rows, columns] = averaged(mask, columns.stop - columns.start, rows.stop - rows.start)
    return share


def averaged(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """A mask resized by area: float32 [height, width], the part of each pixel that it covers."""
    return cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
