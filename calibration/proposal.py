"""What to do about numbers that FP16 does not hold: modules to compute in FP32, a wider residual stream."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from calibration.ranges import Place, Ranges, Side, measure
from export.to_onnx import TOLERANCES
from mvsam.networks.graphs import Graph
from mvsam.networks.precision import MATRIX_MODULES
from mvsam.networks.presets import Precision

LOSS = 0.02  # relative error of a product's results from which on it may be to blame,
JUMP = 4.0  # where that is so many times the error of what it was given


@dataclass(frozen=True)
class Proposal:
    """For one graph.

    Attributes:
        islands: names of modules that should compute in FP32 besides those that do already.
        precision: FP16, or mixed where the residual stream itself needs more.
        before: what FP16 makes of the network as it is.
        after: what the proposal makes of it.
        overflowing: where FP32 numbers are beyond FP16's largest, in order of execution.
        lossy: products that FP16 spoils without overflow.
    """

    islands: list[str]
    precision: Precision
    before: Ranges
    after: Ranges
    overflowing: list[Place]
    lossy: list[str]

    @property
    def sound(self) -> bool:
        """Whether the proposal leads to finite numbers near the FP32 ones."""
        return _sound(self.after, self.precision)


def propose(
    graph: Graph, network: nn.Module, inputs: Sequence[Mapping[str, np.ndarray]], reviewed: Sequence[str] = ()
) -> Proposal:
    """Measures FP16 and tries remedies: FP32 for single products first, then for the residual stream as well.

    Args:
        graph: whose network it is.
        network: in FP32.
        inputs: of the graph.
        reviewed: islands that were found necessary before.

    Raises:
        ValueError: a reviewed island is none of the network's modules.
    """
    before = measure(graph, network, Precision.FP16, inputs, reviewed)
    overflowing = [place for place, found in before.places.items() if found.overflows]
    products = [
        name
        for name, module in network.named_modules()
        if isinstance(module, MATRIX_MODULES) and name not in before.fp32
    ]
    lossy = [name for name in products if _is_lossy(name, before)]
    beyond = {place.module for place in overflowing}
    islands = [name for name in products if name in beyond or name in lossy]
    after, precision = before, Precision.FP16
    if islands:
        after = measure(graph, network, precision, inputs, [*reviewed, *islands])
    if not _sound(after, precision):
        precision = Precision.MIXED
        after = measure(graph, network, precision, inputs, [*reviewed, *islands])
    return Proposal(islands, precision, before, after, overflowing, lossy)


def _sound(ranges: Ranges, precision: Precision) -> bool:
    return ranges.finite and max(ranges.errors.values()) <= TOLERANCES[precision]


def _is_lossy(name: str, ranges: Ranges) -> bool:
    """Whether a product's results are far off although its inputs are not."""
    given, made = (ranges.places.get(Place(name, side)) for side in Side)
    return given is not None and made is not None and not made.broken and made.error > max(LOSS, JUMP * given.error)
