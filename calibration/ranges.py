"""What flows through a network, module by module: how large and how small it becomes in FP32, and what narrower types
make of it.

The typed network runs beside the FP32 one on the same inputs. On a CPU PyTorch keeps every tensor in its type, so that
what would overflow on a GPU overflows here.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache, partial
from math import inf, isfinite, sqrt
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from export.compare import Errors, relative_errors
from mvsam.networks.graphs import Graph
from mvsam.networks.presets import Precision
from mvsam.networks.rounding import HalfProducts

LARGEST = float(torch.finfo(torch.float16).max)  # 65,504
SMALLEST_NORMAL = float(torch.finfo(torch.float16).smallest_normal)  # 6.1e-5
SAMPLED = 4096  # numbers of a tensor by which its error is estimated


class Side(StrEnum):
    """Of a module."""

    INPUT = "input"
    OUTPUT = "output"


class Place(NamedTuple):
    """Where numbers were looked at."""

    module: str  # its name in the network; empty for the network itself
    side: Side

    def __str__(self) -> str:
        return f"{self.module or 'the network'}, {self.side}"


@dataclass
class Range:
    """The numbers of one place over all inputs.

    Attributes:
        largest: magnitude in FP32; infinite where there is a NaN.
        nonzero, subnormal: how many there are, and how many of them FP16 keeps with fewer bits or as zero.
        broken: the typed network's are not all finite.
        square, square_error: sums over a sample of the FP32 network's, and of the typed one's differences from them.
    """

    largest: float = 0.0
    nonzero: int = 0
    subnormal: int = 0
    broken: bool = False
    square: float = 0.0
    square_error: float = 0.0

    @property
    def overflows(self) -> bool:
        """Whether FP16 has no such number."""
        return self.largest > LARGEST

    @property
    def subnormal_share(self) -> float:
        """Of the nonzero numbers."""
        return self.subnormal / self.nonzero if self.nonzero else 0.0

    @property
    def error(self) -> float:
        """Of the typed network, root mean square over root mean square."""
        if self.broken or not isfinite(self.square):
            return inf
        return sqrt(self.square_error / self.square) if self.square else 0.0


@dataclass
class Ranges:
    """Of one graph at one precision.

    Attributes:
        places: in order of execution.
        errors: of the graph's outputs, the largest over the inputs.
        fp32: modules whose weights are FP32 in the typed network.
    """

    places: dict[Place, Range] = field(default_factory=dict)
    errors: Errors = field(default_factory=dict)
    fp32: frozenset[str] = frozenset()

    @property
    def finite(self) -> bool:
        """Whether the typed network's numbers all are."""
        return not any(found.broken for found in self.places.values())


def measure(
    graph: Graph,
    network: nn.Module,
    precision: Precision,
    inputs: Iterable[Mapping[str, np.ndarray]],
    reviewed: Sequence[str] = (),
) -> Ranges:
    """Runs a network in FP32 and typed, and compares them in every module.

    Args:
        graph: whose network it is.
        network: in FP32; it stays as it is.
        precision: of the typed copy.
        inputs: of the graph, FP32.
        reviewed: names of further modules that compute in FP32.

    Raises:
        ValueError: a reviewed island is none of the network's modules.
    """
    reference = graph.module(network, Precision.FP32)
    narrow = copy.deepcopy(network)
    candidate = graph.module(narrow, precision, reviewed)
    types = graph.types(precision)
    ranges = Ranges(fp32=frozenset(_fp32_modules(narrow)))
    for arrays in inputs:
        tensors = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in arrays.items()}
        samples: dict[Place, list[Tensor]] = {}
        with watched(network, partial(_measure, ranges.places, samples)):
            expected = _run(reference, graph, tensors)
        with watched(narrow, partial(_compare, ranges.places, samples)):
            found = _run(candidate, graph, {name: x.to(types.get(name, x.dtype)) for name, x in tensors.items()})
        for output, error in relative_errors(expected, found).items():
            ranges.errors[output] = max(error, ranges.errors.get(output, 0.0))
    return ranges


@contextmanager
def watched(network: nn.Module, see: Callable[[Place, list[Tensor]], None]) -> Iterator[None]:
    """Shows what enters and leaves each module that is called."""

    def enter(place: Place, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        see(place, _floating((args, kwargs)))

    def leave(place: Place, _module: nn.Module, _args: object, output: object) -> None:
        see(place, _floating(output))

    handles = []
    for name, module in network.named_modules():
        handles += [
            module.register_forward_pre_hook(partial(enter, Place(name, Side.INPUT)), with_kwargs=True),
            module.register_forward_hook(partial(leave, Place(name, Side.OUTPUT))),
        ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _fp32_modules(network: nn.Module) -> Iterator[str]:
    for name, module in network.named_modules():
        own = list(module.parameters(recurse=False))
        if own and all(parameter.dtype is torch.float32 for parameter in own):
            yield name


def _floating(tree: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor) and leaf.is_floating_point()]


def _run(module: nn.Module, graph: Graph, tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    with torch.inference_mode(), HalfProducts():
        result = module(**tensors)
    results = result if isinstance(result, tuple) else (result,)
    return {name: x.numpy() for name, x in zip(graph.outputs, results, strict=True)}


def _measure(places: dict[Place, Range], samples: dict[Place, list[Tensor]], place: Place, seen: list[Tensor]) -> None:
    """Takes down what the FP32 network holds at a place."""
    found = places.setdefault(place, Range())
    for x in seen:
        size = x.abs()
        found.largest = max(found.largest, size.max().nan_to_num(nan=inf, posinf=inf).item())
        found.nonzero += int(torch.count_nonzero(size))
        found.subnormal += int(torch.count_nonzero((size > 0) & (size < SMALLEST_NORMAL)))
        sample = _sample(x)
        found.square += sample.square().sum().item()
        samples.setdefault(place, []).append(sample)


def _compare(places: dict[Place, Range], samples: dict[Place, list[Tensor]], place: Place, seen: list[Tensor]) -> None:
    """Takes down how far the typed network is off; a module called again finds its next tensors in the samples."""
    found = places[place]
    for x in seen:
        found.broken |= not bool(x.isfinite().all())
        found.square_error += (_sample(x) - samples[place].pop(0)).square().sum().item()


def _sample(x: Tensor) -> Tensor:
    return x.flatten()[_chosen(x.numel())].double()


@lru_cache(maxsize=256)
def _chosen(numbers: int) -> Tensor:
    """Indices of so many numbers' sample: all, or drawn, since even steps would meet the same channels again."""
    if numbers <= SAMPLED:
        return torch.arange(numbers)
    return torch.randint(numbers, (SAMPLED,), generator=torch.Generator().manual_seed(numbers))
