"""The image encoder's resize, bit for bit what SAM2 does in PyTorch.

SAM2's features are sensitive to the resize (another implementation costs several points of mIoU), so this one repeats
PyTorch's antialiased bilinear kernel down to the order of its roundings: the horizontal pass first, float32 triangle
weights, and for each output pixel the taps summed in order, the first and then whole groups of four as rounded
products, the rest (at most three) by fused multiply-add. That is what the compiled CPU kernel does with AVX2 and with
AVX-512; without either it rounds every product, a difference of one unit in the last place.
"""

from __future__ import annotations

import cv2
import numpy as np

IMAGE_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGE_STD = np.array([0.229, 0.224, 0.225], np.float32)

_SLAB_BYTES = 8 * 2**20  # float rows held at a time: small enough for the cache, large enough to amortise the calls


def encoder_image(photograph: np.ndarray, side: int) -> np.ndarray:
    """Resizes a photograph to the encoder's square (aspect ratio not kept) and normalises it.

    Args:
        photograph: uint8 [h, w, 3], upright RGB.
        side: the encoder's side S in pixels.

    Returns:
        float32 [3, S, S], equal in every bit to SAM2's
        ``(interpolate(x / 255, (S, S), mode="bilinear", align_corners=False, antialias=True) - mean) / std``.
    """
    height, width = photograph.shape[:2]
    if (height, width) == (side, side):
        return np.ascontiguousarray(((_as_float(photograph) - IMAGE_MEAN) / IMAGE_STD).transpose(2, 0, 1))
    columns = _resample(cv2.transpose(photograph).reshape(width, height * 3), side)
    rows = np.ascontiguousarray(cv2.transpose(columns.reshape(side, height, 3)))
    square = _resample(rows.reshape(height, side * 3), side).reshape(side, side, 3)
    return np.ascontiguousarray(((square - IMAGE_MEAN) / IMAGE_STD).transpose(2, 0, 1))


def _resample(lines: np.ndarray, length: int) -> np.ndarray:
    """Resizes along the first axis: uint8 (read as x / 255) or float32 [n, m] to float32 [length, m]."""
    taps = [_taps(len(lines), length, index) for index in range(length)]
    resized = np.empty((length, lines.shape[1]), np.float32)
    product = np.empty(lines.shape[1], np.float32)
    slab_lines = max(1, _SLAB_BYTES // resized[0].nbytes)
    slab, slab_start = lines[:0].astype(np.float32), 0
    for total, (start, weights) in zip(resized, taps, strict=True):
        stop = start + len(weights)
        if stop > slab_start + len(slab) or start < slab_start:
            slab, slab_start = _as_float(lines[start : max(stop, start + slab_lines)]), start
        window = slab[start - slab_start : stop - slab_start]
        rounded = 1 + (len(weights) - 1) // 4 * 4
        np.multiply(window[0], weights[0], out=total)
        for line, weight in zip(window[1:rounded], weights[1:rounded], strict=True):
            np.multiply(line, weight, out=product)
            np.add(total, product, out=total)
        for line, weight in zip(window[rounded:], weights[rounded:], strict=True):
            _fused_multiply_add(line, weight, total)
    return resized


def _as_float(lines: np.ndarray) -> np.ndarray:
    """uint8 as x / 255 in float32; float32 as it is."""
    return np.divide(lines, np.float32(255), dtype=np.float32) if lines.dtype == np.uint8 else lines


def _taps(length_in: int, length_out: int, index: int) -> tuple[int, np.ndarray]:
    """First input index and float32 weights of one output index, rounded where PyTorch rounds."""
    scale = np.float32(length_in) / np.float32(length_out)
    support = max(scale, np.float32(1))
    centre = np.float32(float(scale) * (index + 0.5))
    start = max(int(float(centre - support) + 0.5), 0)
    stop = min(int(float(centre + support) + 0.5), length_in)
    offsets = (np.arange(start, stop, dtype=np.float32) - centre).astype(np.float64) + 0.5
    distances = np.abs((offsets * float(np.float32(1) / support)).astype(np.float32))
    weights = np.maximum(np.float32(1) - distances, np.float32(0))
    return start, weights / np.add.accumulate(weights)[-1]


def _fused_multiply_add(line: np.ndarray, weight: np.float32, total: np.ndarray) -> None:
    """``total += line * weight`` with one rounding, in place, float32 [m].

    In float64 the product is exact and the sum nearly so: rounding it once more to float32 errs only where the float64
    sum lies exactly between two float32 numbers, and there its own rounding error says which one to take.
    """
    product = np.multiply(line, weight, dtype=np.float64)
    exact = product + total
    ties = np.flatnonzero((exact.view(np.int64) & 0x1FFFFFFF) == 0x10000000)
    if ties.size:
        addend = total[ties].astype(np.float64)
        virtual = exact[ties] - addend
        error = (addend - (exact[ties] - virtual)) + (product[ties] - virtual)
        exact[ties] = np.where(error == 0, exact[ties], np.nextafter(exact[ties], np.copysign(np.inf, error)))
    total[:] = exact
