import subprocess
import sys

import numpy as np
import pytest

from mvsam.pipeline.frames import Frame
from mvsam.pipeline.grids import sample_grid
from mvsam.pipeline.request import Geometry

SIDE = 8


@pytest.mark.parametrize("holes", [0.0, 0.5, 0.97])
def test_every_cell_takes_the_nearest_valid_pixel_to_its_centre(scene, rng, holes):
    geometry = scene(2, 21, 35, holes)
    frames = [Frame((50, 90), (0.0, 0.0, 35.0, 21.0)), Frame((90, 90), (7.0, 0.0, 21.0, 21.0))]
    geometry.valid[1, :, :7] = geometry.valid[1, :, 28:] = False
    low = geometry.valid & (rng.random(geometry.valid.shape) < 0.3)
    points, flags = sample_grid(geometry, low, frames, SIDE)
    for view, frame in enumerate(frames):
        rows, columns = np.nonzero(geometry.valid[view])
        for i, j in np.ndindex(SIDE, SIDE):
            row = int(frame.rect[1] + (i + 0.5) / SIDE * frame.rect[3])
            column = int(frame.rect[0] + (j + 0.5) / SIDE * frame.rect[2])
            squares = (rows - row) ** 2 + (columns - column) ** 2
            nearest = np.flatnonzero(squares == squares.min())
            candidates = geometry.points[view, rows[nearest], columns[nearest]]
            chosen = nearest[(candidates == points[view, i, j]).all(axis=1)]
            assert chosen.size, "not a nearest valid pixel"
            own = geometry.valid[view, row, column]
            assert flags[view, i, j] == (low[view, row, column] if own else True)


def test_one_valid_pixel_is_enough(scene):
    geometry = scene(1, 14, 14)
    valid = np.zeros((1, 14, 14), bool)
    valid[0, 3, 5] = True
    sparse = Geometry(geometry.points, geometry.confidence, valid)
    points, flags = sample_grid(sparse, np.zeros_like(valid), [Frame((14, 14), (0.0, 0.0, 14.0, 14.0))], SIDE)
    assert (points == geometry.points[0, 3, 5]).all()
    assert flags.sum() >= SIDE * SIDE - 1


def test_a_model_starts_without_what_only_holes_need():
    """SciPy takes 0.2 s to import, in each of two models, of every recovery."""
    program = "import sys, mvsam.pipeline.normalization; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
