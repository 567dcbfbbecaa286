"""A graph computed by PyTorch: the reference that exported graphs are compared with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mvsam.networks.presets import Precision

if TYPE_CHECKING:
    from torch import nn

    from mvsam.networks.graphs import Graph


class PyTorchSession:
    """A network behind the tensors of its graph.

    Args:
        graph: the graph's declaration.
        network: the network it wraps, with its weights in FP32; they are given their types in place.
        precision: of products and streams. On a CPU, too, every intermediate is rounded to its type.
        reviewed: names of further modules that compute in FP32.
        device: where it computes, as PyTorch calls it.

    Raises:
        ValueError: a reviewed island is none of the network's modules.
    """

    def __init__(
        self,
        graph: "Graph",
        network: "nn.Module",
        precision: Precision = Precision.FP32,
        reviewed: Sequence[str] = (),
        device: str = "cpu",
    ) -> None:
        self.module = graph.module(network, precision, reviewed).to(device)
        self._device = device
        kinds = {name: str(kind).removeprefix("torch.") for name, kind in graph.types(precision).items()}
        self.types = {name: np.dtype(kind) for name, kind in kinds.items() if name in graph.inputs}
        self.inputs = list(graph.inputs)
        self.outputs = list(graph.outputs)

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every output by name."""
        import torch

        from mvsam.networks.rounding import HalfProducts

        with torch.inference_mode(), HalfProducts():
            tensors = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in inputs.items()}
            result = self.module(**{name: tensor.to(self._device) for name, tensor in tensors.items()})
        results = result if isinstance(result, tuple) else (result,)
        return {name: tensor.cpu().numpy() for name, tensor in zip(self.outputs, results, strict=True)}
