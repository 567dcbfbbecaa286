"""How far two computations of the same graph are apart."""

from collections.abc import Mapping

import numpy as np

Errors = dict[str, float]  # output name -> largest difference over the reference's largest value
Arrays = Mapping[str, np.ndarray]


def relative_errors(expected: Arrays, found: Arrays) -> Errors:
    """Of every expected output."""
    return {name: relative_error(array, found[name]) for name, array in expected.items()}


def relative_error(expected: np.ndarray, found: np.ndarray) -> float:
    """Largest difference, relative to the expected array's largest value; infinite where what was found is not finite
    or of another shape."""
    if expected.shape != found.shape or not np.isfinite(found).all():
        return float("inf")
    reference = expected.astype(np.float64)
    difference, scale = float(np.abs(found - reference).max()), float(np.abs(reference).max())
    return difference / scale if scale else (float("inf") if difference else 0.0)


def beyond(errors: Errors, tolerance: float) -> str | None:
    """What to say of the worst output beyond the tolerance; None where there is none."""
    name, worst = max(errors.items(), key=lambda item: item[1])
    if worst <= tolerance:
        return None
    return f"output {name} differs by {worst:.1e} of its largest value (tolerance {tolerance:.0e})"
