"""Masks come back exactly as COCO's own tools would read them."""

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mvsam_client import rle


def encode(mask: np.ndarray) -> str:
    run: Any = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return run["counts"].decode()


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (13, 17), (40, 40), (333, 517)])
@pytest.mark.parametrize("density", [0.0, 0.01, 0.5, 0.99, 1.0])
def test_masks_of_every_density_survive(size, density):
    mask = np.random.default_rng(7).random(size) < density
    np.testing.assert_array_equal(rle.decode(encode(mask), *size), mask)


def test_runs_of_very_different_lengths_survive():
    """Their differences need one to five characters and both signs."""
    mask = np.zeros((2000, 3000), bool)
    mask[5, 5] = mask[700:1500, 900:2900] = mask[::7, 20] = mask[1999, 2999] = True
    np.testing.assert_array_equal(rle.decode(encode(mask), 2000, 3000), mask)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="a mask of 6x4 has 24"):
        rle.decode(encode(np.ones((4, 5), bool)), 4, 6)


@pytest.mark.parametrize("counts", ["", "\x00", "P", "o" * 40 + "0", "\xff\xd8", "@0", "I0"])
def test_garbage_is_refused_without_allocating_it(counts):
    with pytest.raises(ValueError, match="RLE"):
        rle.decode(counts, 4, 4)
