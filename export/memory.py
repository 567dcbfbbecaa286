"""What a graph needs of a card's memory at one size of a request, found without computing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mvsam.networks.checkpoints import build_network
from mvsam.networks.graphs import Graph, Sample
from mvsam.networks.presets import Precision, Preset

GIB = 1 << 30
SHARE = 0.9  # of a card's memory; the rest is CUDA's own


class TooLargeError(RuntimeError):
    """A graph does not fit the card."""


@dataclass(frozen=True)
class Estimate:
    """Bytes that a graph needs.

    Attributes:
        weights: of the graph.
        activations: alive at once at the worst moment, nothing fused.
        scores: of the largest attention, beside its softmax, where it is taken apart as FP32's is; 0 where it is one
            kernel.
    """

    weights: int
    activations: int
    scores: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.activations + self.scores

    def __str__(self) -> str:
        return (
            f"{self.total / GIB:.1f} GiB ({self.weights / GIB:.1f} weights, {self.activations / GIB:.1f} activations, "
            f"{self.scores / GIB:.1f} attention scores)"
        )


class _Watch(TorchDispatchMode):
    """Counts the bytes of the tensors that are alive while a network runs."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = self.scores = 0
        self._alive: dict[StorageWeakRef, int] = {}

    def __torch_dispatch__(self, func: Any, types: object, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if "scaled_dot_product" in func.__name__:
            query, key = args[:2]
            self.scores = max(self.scores, query.shape[:-1].numel() * key.shape[-2] * query.element_size())
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self._alive[StorageWeakRef(storage)] = storage.nbytes()
        self._alive = {storage: size for storage, size in self._alive.items() if not storage.expired()}
        self.peak = max(self.peak, sum(self._alive.values()))
        return result


def estimate(graph: Graph, preset: Preset, precision: Precision, shapes: Mapping[str, Sequence[int]]) -> Estimate:
    """Runs a network without numbers, as PyTorch would.

    Args:
        graph: which.
        preset: its sizes.
        precision: of its numbers.
        shapes: of the graph's inputs.
    """
    network = build_network(preset, graph.network)  # Hiera looks at numbers while it is built
    with FakeTensorMode(allow_non_fake_inputs=True), torch.inference_mode():
        module = graph.module(network, precision)
        weights = sum(each.nbytes for each in (*module.parameters(), *module.buffers()))
        kinds = {name: x.dtype for name, x in graph.inputs_for(preset, Sample(views=1), precision).items()}
        inputs = {name: torch.empty(tuple(shape), dtype=kinds[name]) for name, shape in shapes.items()}
        with _Watch() as watch:
            module(**inputs)
    return Estimate(weights, watch.peak, 2 * watch.scores if precision is Precision.FP32 else 0)


def activations_per_view(graph: Graph, preset: Preset, precision: Precision) -> int:
    """Bytes that one more photograph of the largest size adds to what is alive at once, attention being one kernel."""
    patches = int(preset.geometry_pixels**0.5) // preset.pi3.patch

    def activations(views: int) -> int:
        example = graph.example(preset, Sample(views, patches=(patches, patches)))
        return estimate(graph, preset, precision, {name: x.shape for name, x in example.items()}).activations

    return (activations(3) - activations(1)) // 2


def check_fits(
    graph: Graph, preset: Preset, precision: Precision, shapes: Mapping[str, Sequence[int]], card: int
) -> None:
    """Refuses a graph whose largest request will not fit.

    Args:
        graph, preset, precision, shapes: as `estimate` takes them.
        card: bytes of the card's memory.

    Raises:
        TooLargeError: with the numbers.
    """
    needed = estimate(graph, preset, precision, shapes)
    if needed.total > SHARE * card:
        sizes = ", ".join(f"{name} {'×'.join(map(str, shape))}" for name, shape in list(shapes.items())[:1])
        remedy = (
            "build with --precision mixed, whose attention is one kernel" if needed.scores else "allow fewer --views"
        )
        raise TooLargeError(
            f"{graph.name}, {precision}, {sizes}: needs {needed}, the card has {card / GIB:.1f} GiB; {remedy}"
        )
