"""Where in a graph an error begins: bisection over the values that two exports of the same network share.

The exporter names a value for its operation and a running number, whatever the precision, so that the same name is the
same value in FP32 and at reduced precision.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from export.compare import relative_error
from mvsam.runtime.onnx import MODEL

NUMBERED = ("val_", "_to_copy")  # counted through the whole graph, or casts: their numbers differ by precision
FLOATS = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}
SCOPES = "pkg.torch.onnx.name_scopes"  # the exporter's note of the module that a node comes from

# Computes one more value of a graph: given the model with that value as its only output, and the graph's inputs.
Probe = Callable[[onnx.ModelProto, Mapping[str, np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class Jump:
    """The first value beyond the tolerance.

    Attributes:
        value: its name in both graphs.
        module: the network's module that computes it.
        operator: the node's kind.
        error: relative to the FP32 value's largest.
        before: the error of the last value within the tolerance that was looked at; 0 where there is none.
    """

    value: str
    module: str
    operator: str
    error: float
    before: float

    def __str__(self) -> str:
        rise = f"from {self.before:.1e} to {self.error:.1e}"
        return f"the error rises {rise} at {self.module} ({self.operator}, {self.value})"


def first_jump(
    reference: tuple[Path, Probe, Mapping[str, np.ndarray]],
    candidate: tuple[Path, Probe, Mapping[str, np.ndarray]],
    tolerance: float,
) -> Jump | None:
    """Looks at half of what is left each time, as if errors only grew on their way through the graph.

    Args:
        reference: folder of the FP32 graph, what computes it, and the graph's inputs.
        candidate: likewise, at reduced precision; each probe may build an engine.
        tolerance: relative error that counts as a jump.

    Returns:
        None where the last shared value is within the tolerance.
    """
    models = [onnx.load(folder / MODEL, load_external_data=False) for folder, _, _ in (reference, candidate)]
    shared = _shared_values(*models)

    def error(index: int) -> float:
        found = [
            probe(_with_output(folder, shared[index].output[0]), inputs)
            for folder, probe, inputs in (reference, candidate)
        ]
        return relative_error(found[0], found[1])

    low, high = -1, len(shared) - 1
    errors = {low: 0.0, high: error(high)}
    if errors[high] <= tolerance:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        errors[middle] = error(middle)
        low, high = (low, middle) if errors[middle] > tolerance else (middle, high)
    node = shared[high]
    return Jump(node.output[0], _module(node), node.op_type, errors[high], errors[low])


def _shared_values(one: onnx.ModelProto, other: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Nodes of the first graph, in order, that the other has too, where their first output is a float."""
    kinds = [
        {value.name: value.type.tensor_type.elem_type for value in (*model.graph.value_info, *model.graph.output)}
        for model in (one, other)
    ]
    found = {(node.output[0], node.op_type, _module(node)) for node in other.graph.node}
    return [
        node
        for node in one.graph.node
        if not node.output[0].startswith(NUMBERED)
        and (node.output[0], node.op_type, _module(node)) in found
        and all(kind.get(node.output[0]) in FLOATS for kind in kinds)
    ]


def _with_output(folder: Path, name: str) -> onnx.ModelProto:
    """A graph, weights and all, whose only output is one of its values."""
    model = onnx.load(folder / MODEL)
    values = {value.name: value for value in (*model.graph.value_info, *model.graph.output)}
    del model.graph.output[:]
    model.graph.output.append(values[name])
    return model


def _module(node: onnx.NodeProto) -> str:
    scopes = {entry.key: entry.value for entry in node.metadata_props}.get(SCOPES, "[]")
    names = [part.strip(" '\"") for part in scopes.strip("[]").split(",")]
    return next((name.removeprefix("network.") for name in reversed(names[:-1]) if name), node.name)
