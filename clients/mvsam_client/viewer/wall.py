"""The board beside the cloud on which the photographs hang."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvsam_client.viewer.picking import Panel

HEIGHT = 2.4  # of the board; half of the cloud is within 1 of the origin
GAP = 0.12  # between photographs and below them, where the name is, as a share of a photograph's side
BEHIND = 0.01  # how far the board is behind the photographs


@dataclass(frozen=True, eq=False)
class Wall:
    """Photographs in reading order on an upright board that faces the viewer.

    Attributes:
        photographs: by view.
        board: behind them; no photograph, and its `view` is none.
    """

    photographs: list[Panel]
    board: Panel

    @classmethod
    def of(cls, sizes: Sequence[tuple[int, int]], right_edge: float, front: float) -> "Wall":
        """Hangs them.

        Args:
            sizes: (h, w) of the photographs.
            right_edge: where the board ends on the right (x); the cloud is to the right of it.
            front: how near to the viewer it is (y).
        """
        aspect = min(2.0, max(0.5, max(width / height for height, width in sizes)))
        columns = max(1, round(math.sqrt(len(sizes) / aspect)))
        cell_height = HEIGHT / math.ceil(len(sizes) / columns)
        cell_width = cell_height * aspect
        left = right_edge - columns * cell_width
        photographs = []
        for view, (height, width) in enumerate(sizes):
            row, column = divmod(view, columns)
            unit = (1 - GAP) * min(cell_width / width, cell_height / height)
            middle = left + (column + 0.5) * cell_width
            top = HEIGHT / 2 - row * cell_height - GAP / 4 * cell_height
            corner = np.array([middle - unit * width / 2, front, top])
            photographs.append(_upright(view, corner, unit * width, unit * height, (height, width)))
        corner = np.array([left, front + BEHIND, HEIGHT / 2])
        return cls(photographs, _upright(-1, corner, right_edge - left, HEIGHT, (1, 1)))


def _upright(view: int, corner: np.ndarray, width: float, height: float, size: tuple[int, int]) -> Panel:
    return Panel(view, corner, np.array([width, 0.0, 0.0]), np.array([0.0, 0.0, -height]), size)
