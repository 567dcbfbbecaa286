"""Rows that a graph treats one by one, a few at a time: what it needs meanwhile does not grow with their number."""

from collections.abc import Callable

import numpy as np

Arrays = dict[str, np.ndarray]


def in_portions(run: Callable[[Arrays], Arrays], inputs: Arrays, most: int) -> Arrays:
    """Runs a graph on so many rows at a time.

    Args:
        run: the graph, on arrays by name.
        inputs: of the same number of rows each.
        most: rows of one run.

    Returns:
        The outputs by name, of all rows.
    """
    rows = len(next(iter(inputs.values())))
    starts = range(0, max(1, rows), most)
    parts = [run({name: array[start : start + most] for name, array in inputs.items()}) for start in starts]
    return parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
