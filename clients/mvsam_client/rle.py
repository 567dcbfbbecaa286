"""COCO's run-length encoding of masks, read with NumPy alone."""

import numpy as np


def decode(counts: str, height: int, width: int) -> np.ndarray:
    """A mask from COCO's compressed `counts`.

    The string holds the lengths of runs of 0, 1, 0, … down the columns; from the fourth on, each as its difference from
    the length two before. A number is written in characters of five bits, lowest first, from "0" upwards; bit 5 says
    that more follow and bit 4 of the last is the sign.

    Returns:
        bool [height, width].

    Raises:
        ValueError: the string is no such encoding, or not one of a mask of this size.
    """
    lengths = _run_lengths(counts.encode())
    if (lengths < 0).any() or lengths.sum() != height * width:
        raise ValueError(
            f"the runs of this RLE sum to {lengths.sum()}; a mask of {width}x{height} has {height * width}"
        )
    columns = np.repeat(np.arange(lengths.size) % 2 == 1, lengths).reshape(width, height)
    return np.ascontiguousarray(columns.T)


def _run_lengths(counts: bytes) -> np.ndarray:
    codes = np.frombuffer(counts, np.uint8).astype(np.int64) - ord("0")
    if not codes.size:
        return codes
    last = (codes & 0x20) == 0
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    digits = ends - starts + 1
    # Seven digits of five bits hold any length that COCO's own 32-bit code can write.
    if codes.min() < 0 or codes.max() > 0x3F or not last[-1] or digits.max() > 7:
        raise ValueError("this is no compressed COCO RLE: its numbers are malformed")
    place = np.arange(codes.size) - np.repeat(starts, digits)
    numbers = np.add.reduceat((codes & 0x1F) << (5 * place), starts)
    numbers -= np.where(codes[ends] & 0x10, 1 << (5 * digits), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    # The third length is written in full although the first stands two before it.
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers
