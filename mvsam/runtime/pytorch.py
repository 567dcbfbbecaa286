"""A graph computed by PyTorch: the reference that exported graphs are compared with."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn

    from mvsam.networks.graphs import Graph


class PyTorchSession:
    """A network behind the tensors of its graph.

    Args:
        graph: the graph's declaration.
        network: the network it wraps, with its weights.
    """

    def __init__(self, graph: "Graph", network: "nn.Module") -> None:
        self.module = graph.wrap(network).eval()
        self.inputs = list(graph.inputs)
        self.outputs = list(graph.outputs)

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every output by name."""
        import torch

        with torch.inference_mode():
            result = self.module(**{name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in inputs.items()})
        results = result if isinstance(result, tuple) else (result,)
        return {name: tensor.numpy() for name, tensor in zip(self.outputs, results, strict=True)}
