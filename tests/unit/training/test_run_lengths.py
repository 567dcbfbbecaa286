"""Run-length encoding: what COCO's own code writes is read exactly, and nothing else does harm."""

import numpy as np
import pytest

from mvsam.training.run_lengths import paint, run_lengths
from tests.unit.training.sa1b_files import coco_counts


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (64, 48), (300, 1)])
def test_masks_are_those_that_coco_encoded(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    for share in (0.0, 0.02, 0.5, 1.0):
        mask = rng.random(size) < share
        counts = coco_counts(mask)
        lengths = run_lengths(counts, mask.size)
        np.testing.assert_array_equal(paint(lengths, size), mask)
        assert lengths[1::2].sum() == mask.sum()


def test_long_runs_are_read() -> None:
    size = (1500, 2250)
    mask = np.zeros(size, bool)
    mask[3:1400, 5:2000] = True
    counts = coco_counts(mask)
    np.testing.assert_array_equal(paint(run_lengths(counts, mask.size), size), mask)


@pytest.mark.parametrize(
    "counts", [b"", b"0", b"\x00", b"xyz", b"\xff\xff", b"ZZZZZZ", b"o" * 50, b"garbage!!", b"`P0"]
)
def test_damaged_counts_are_refused(counts: bytes) -> None:
    with pytest.raises(ValueError, match="encode"):
        run_lengths(counts, 1200)


def test_random_counts_are_refused_or_cover_the_mask_exactly() -> None:
    rng = np.random.default_rng(0)
    for _ in range(3000):
        counts = rng.integers(48, 112, rng.integers(0, 40)).astype(np.uint8).tobytes()
        try:
            lengths = run_lengths(counts, 1200)
        except ValueError:
            continue
        assert paint(lengths, (40, 30)).shape == (40, 30)


def test_counts_of_another_size_are_refused() -> None:
    counts = coco_counts(np.ones((4, 4), bool))
    with pytest.raises(ValueError, match="sum to 16, the mask has 20 pixels"):
        run_lengths(counts, 20)
