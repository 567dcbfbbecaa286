"""The parts of π³ that replace operations no exporter has."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mvsam.networks.position_grid import resize_grid
from mvsam.networks.rotation import nearest_rotation
from tests.unit.networks import pi3_twin


def test_nearest_rotation_agrees_with_svd() -> None:
    matrices = torch.randn(2000, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gap = [np.linalg.svd(m)[1][1] + np.sign(np.linalg.det(m)) * np.linalg.svd(m)[1][2] for m in matrices.numpy()]
    well_posed = torch.tensor(np.array(gap) > 0.05)  # where two rotations are nearly as near, the answer is arbitrary
    expected = np.stack([pi3_twin.nearest_rotation(m) for m in matrices[well_posed].numpy()])
    assert well_posed.sum() > 1800
    assert (np.linalg.det(matrices.numpy()) < 0).sum() > 500
    found = nearest_rotation(matrices[well_posed].float()).numpy()
    assert np.abs(found - expected).max() < 5e-5


def test_nearest_rotation_of_a_rotation_is_itself() -> None:
    axis_turns = torch.linalg.matrix_exp(
        torch.tensor([[[0.0, -a, 0], [a, 0, 0], [0, 0, 0]] for a in (0, 1e-3, 1.5, 3.14159)])
    )
    assert (nearest_rotation(axis_turns) - axis_turns).abs().max() < 1e-6


@pytest.mark.parametrize(("height", "width"), [(37, 37), (16, 16), (31, 41), (48, 27), (80, 5)])
def test_position_grid_is_an_antialiased_bicubic_resize(height: int, width: int) -> None:
    grid = torch.randn(37, 37, 8, generator=torch.Generator().manual_seed(0))
    channels_first = grid.double().permute(2, 0, 1)[None]
    expected = F.interpolate(channels_first, (height, width), mode="bicubic", antialias=True)[0].permute(1, 2, 0)
    torch.testing.assert_close(resize_grid(grid, height, width), expected.float(), rtol=0, atol=5e-6)
