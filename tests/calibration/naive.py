"""Naive conversion: every weight and every result of an FP32 network rounded to FP16, no islands, as converters of
whole graphs do it."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from mvsam.networks.graphs import Graph
from mvsam.runtime.pytorch import PyTorchSession


class EverythingRounded(TorchDispatchMode):
    """While it is entered, every operator's FP32 results take FP16's values."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        return result if func.is_view else tree_map(_rounded, result)


class NaiveSession:
    """A graph of which nothing is spared."""

    def __init__(self, graph: Graph, network: nn.Module) -> None:
        network = copy.deepcopy(network)
        with torch.no_grad():
            for weights in (*network.parameters(), *network.buffers()):
                weights.copy_(_rounded(weights))
        self._session = PyTorchSession(graph, network)
        self.types = self._session.types

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every output by name."""
        rounded = {
            name: x.astype(np.float16).astype(x.dtype) if x.dtype.kind == "f" else x for name, x in inputs.items()
        }
        with EverythingRounded():
            return self._session.run(rounded)


def _rounded(x: Any) -> Any:
    return x.half().float() if isinstance(x, Tensor) and x.dtype is torch.float32 else x
