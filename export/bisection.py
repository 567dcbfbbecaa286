"""Where in a graph an error begins: bisection over the values that two exports of the same network share.

The exporter names a value for its operation and a running number, whatever the precision, so that the same name is the
same value in FP32 and at reduced precision.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx

from export.compare import relative_error
from export.scopes import modules
from mvsam.runtime.artifacts import read_manifest
from mvsam.runtime.onnx import MODEL

NUMBERED = ("val_", "_to_copy")  # counted through the whole graph, or casts: their numbers differ by precision
FLOATS = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}

Arrays = Mapping[str, np.ndarray]
# Computes one value of a graph: given a model whose only output it is, and the graph's inputs.
Probe = Callable[[Path, Arrays], np.ndarray]


class Side(NamedTuple):
    """One of the two graphs that are compared.

    Attributes:
        folder: as `make export` leaves it.
        probe: computes it; may build an engine.
    """

    folder: Path
    probe: Probe

    def value(self, name: str, inputs: Arrays) -> np.ndarray:
        """One of its values."""
        types = read_manifest(self.folder)["types"]
        typed = {each: array.astype(types.get(each, array.dtype)) for each, array in inputs.items()}
        with _cut_at(self.folder.resolve(), name) as model:
            return self.probe(model, typed)


@dataclass(frozen=True)
class Jump:
    """The first value beyond the tolerance.

    Attributes:
        value: its name in both graphs.
        module: the network's module that computes it.
        operator: the node's kind.
        error: relative to the FP32 value's largest.
        before: the largest error within the tolerance that was seen; 0 where there is none.
    """

    value: str
    module: str
    operator: str
    error: float
    before: float

    def __str__(self) -> str:
        rise = f"from {self.before:.1e} to {self.error:.1e}"
        return f"the error rises {rise} at {self.module} ({self.operator}, {self.value})"


def first_jump(reference: Side, candidate: Side, inputs: Arrays, tolerance: float) -> Jump | None:
    """Looks at half of what is left each time, as if errors only grew from a value to those that are made of it.

    Args:
        reference: the FP32 graph.
        candidate: at reduced precision.
        inputs: of both, cast to what each takes.
        tolerance: relative error that counts as a jump.

    Returns:
        None where the last shared value is within the tolerance.
    """
    models = [onnx.load(side.folder / MODEL, load_external_data=False) for side in (reference, candidate)]
    shared = _shared_values(*models)
    makers = {name: node for node in models[0].graph.node for name in node.output}

    def error(node: onnx.NodeProto) -> float:
        name = node.output[0]
        return relative_error(reference.value(name, inputs), candidate.value(name, inputs))

    first, before = shared[-1], 0.0
    found = error(first)
    if found <= tolerance:
        return None
    behind = _sources(first, makers)
    left = [node for node in shared if node.output[0] in behind]
    while left:
        middle = left[len(left) // 2]
        behind = _sources(middle, makers)
        seen = error(middle)
        if seen > tolerance:
            first, found = middle, seen
            left = [node for node in left if node.output[0] in behind]
        else:
            before = max(before, seen)
            left = [node for node in left if node is not middle and node.output[0] not in behind]
    return Jump(first.output[0], _module(first), first.op_type, found, before)


def _sources(node: onnx.NodeProto, makers: Mapping[str, onnx.NodeProto]) -> set[str]:
    """All values that a node's result is made of, given the nodes that make them."""
    found: set[str] = set()
    left = list(node.input)
    while left:
        name = left.pop()
        if name in makers and name not in found:
            found.add(name)
            left += makers[name].input
    return found


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


@contextmanager
def _cut_at(folder: Path, name: str) -> Iterator[Path]:
    """A model whose only output is one of a graph's values; its weights, perhaps gigabytes, stay where they are."""
    model = onnx.load(folder / MODEL, load_external_data=False)
    values = {value.name: value for value in (*model.graph.value_info, *model.graph.output)}
    del model.graph.output[:]
    model.graph.output.append(values[name])
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".bisection_") as scratch:
        onnx.save(model, Path(scratch, MODEL))
        for file in read_manifest(folder)["files"]:
            if file != MODEL:
                os.link(folder / file, Path(scratch, file))
        yield Path(scratch, MODEL)


def _module(node: onnx.NodeProto) -> str:
    return (modules(node) or [node.name])[-1]
