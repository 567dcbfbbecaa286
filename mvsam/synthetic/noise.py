"""Randomness that is looked up in fixed tables, so that every device and every batch size sees the same."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy.ndimage import zoom
from torch import Tensor

CELLS = 64
FEATURE = 4  # cells of the coarsest octave
NORMALS = 1 << 21
STRIDE = 7919  # pictures of neighbouring seeds start this far apart in the table


def smooth_noise(p: Float[Tensor, "3 points"]) -> Float[Tensor, "*points"]:
    """Fractal value noise in [0, 1], with features about one unit wide; periodic."""
    p = torch.remainder(p * FEATURE, CELLS)
    whole = p.floor()
    part = p - whole
    eased = whole + part * part * (3 - 2 * part)
    grid = (eased * (2 / CELLS) - 1).T.reshape(1, -1, 1, 1, 3)
    found = F.grid_sample(_lattice(p.device), grid, padding_mode="border", align_corners=True)
    return found.reshape(-1)


def normals(starts: Int[Tensor, "*pictures"], count: int) -> Float[Tensor, "pictures count"]:
    """Standard normal numbers, `count` for each picture, from a place in the table that its start decides."""
    table = _normals(starts.device)
    wanted = (starts[:, None] * STRIDE + torch.arange(count, device=starts.device)) % NORMALS
    return table[wanted]


def cell_tone(cell: Float[Tensor, "*points"]) -> Float[Tensor, "*points"]:
    """A number in [0, 1) for each whole number: the tone of one brick or board among its like."""
    return torch.remainder((cell * 12.9898).sin().abs() * 437.585, 1)


@lru_cache
def _lattice(device: torch.device) -> Float[Tensor, "1 1 cells cells cells"]:
    """Octaves of random lattices, each twice as fine as the one before, summed; periodic."""
    rng = np.random.default_rng(1)
    total = np.zeros((CELLS,) * 3)
    for octave, finer in enumerate((4, 2, 1)):
        values = rng.random((CELLS // finer,) * 3)
        finest = np.asarray(zoom(values, finer, order=1, mode="grid-wrap", grid_mode=True))
        total += finest * 0.5**octave
    low, high = np.quantile(total, [0.02, 0.98])
    total = np.clip((total - low) / (high - low), 0, 1)
    wrapped = np.pad(total, (0, 1), mode="wrap")
    return torch.from_numpy(wrapped.astype(np.float32))[None, None].to(device)


@lru_cache
def _normals(device: torch.device) -> Float[Tensor, "*count"]:
    return torch.from_numpy(np.random.default_rng(2).standard_normal(NORMALS, np.float32)).to(device)
