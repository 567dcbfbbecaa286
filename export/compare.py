"""How far two runtimes of the same graph are apart."""

import numpy as np
from torch import Tensor

from mvsam.runtime.onnx import OnnxSession
from mvsam.runtime.pytorch import PyTorchSession

Errors = dict[str, float]  # output name -> largest difference over the reference's largest value


def worst_errors(reference: PyTorchSession, other: OnnxSession, inputs: dict[str, Tensor]) -> Errors:
    """Runs both on the same inputs. An output that is not finite counts as infinitely wrong."""
    arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
    expected, found = reference.run(arrays), other.run(arrays)
    return {name: relative_error(expected[name], found[name]) for name in expected}


def relative_error(expected: np.ndarray, found: np.ndarray) -> float:
    """Largest difference, relative to the expected array's largest value."""
    if expected.shape != found.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found.astype(np.float64) - expected).max() / np.abs(expected).max())
