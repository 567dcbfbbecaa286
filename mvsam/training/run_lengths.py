"""COCO's run-length encoding, read so that no input can do harm.

pycocotools trusts its input: on damaged counts it reads uninitialised memory or corrupts the heap, and among a billion
masks some are damaged.
"""

import numpy as np

_MOST_DIGITS = 7  # of five bits each: any length that COCO's own 32-bit code can write


def run_lengths(counts: bytes, pixels: int) -> np.ndarray:
    """Lengths of the runs of 0, 1, 0, … down the columns of a mask, int64.

    A number is written in characters of five bits, lowest first, from "0" upwards; bit 5 says that more follow and
    bit 4 of the last is the sign. From the fourth run on, the difference from the run two before is written.

    Args:
        counts: COCO's compressed string.
        pixels: of the mask.

    Raises:
        ValueError: the string is malformed, or its runs are not those of so many pixels.
    """
    codes = np.frombuffer(counts, np.uint8).astype(np.int64) - ord("0")
    if not codes.size or codes.min() < 0 or codes.max() > 0x3F or codes[-1] & 0x20:
        raise ValueError("the counts are no compressed RLE; write them with pycocotools.mask.encode")
    ends = np.flatnonzero((codes & 0x20) == 0)
    starts = np.concatenate(([0], ends[:-1] + 1))
    digits = ends - starts + 1
    if digits.max() > _MOST_DIGITS:
        raise ValueError("the counts hold a number of more than 32 bits; write them with pycocotools.mask.encode")
    place = np.arange(codes.size) - np.repeat(starts, digits)
    lengths = np.add.reduceat((codes & 0x1F) << (5 * place), starts)
    lengths -= np.where(codes[ends] & 0x10, 1 << (5 * digits), 0)
    lengths[1::2] = np.cumsum(lengths[1::2])
    lengths[2::2] = np.cumsum(lengths[2::2])  # the third run is written in full
    if lengths.min() < 0 or lengths.sum() != pixels:
        raise ValueError(f"the runs sum to {lengths.sum()}, the mask has {pixels} pixels; encode the mask again")
    return lengths


def paint(lengths: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The mask, bool [h, w], of runs that sum to the pixels of that size (h, w)."""
    columns = np.repeat(np.arange(lengths.size) % 2 == 1, lengths)
    return np.ascontiguousarray(columns.reshape(size[::-1]).T)
