"""BF16 graphs where nothing computes BF16: the same nodes and rounded weights, with FP32 in place of every BF16."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from onnxscript import ir

from mvsam.runtime.artifacts import MANIFEST, read_manifest, sha256, write_json
from mvsam.runtime.onnx import MODEL

WIDE = ir.DataType.FLOAT


@contextmanager
def widened(folder: Path) -> Iterator[Path]:
    """A temporary folder of the graph that ONNX Runtime can compute on a CPU, which has no BF16 there.

    Weights keep the values that BF16 gives them; what flows between nodes is not rounded.

    Args:
        folder: of an exported graph, with its manifest.
    """
    with tempfile.TemporaryDirectory() as name:
        wide = Path(name)
        model = ir.load(folder / MODEL)
        for weights in list(model.graph.initializers.values()):
            if weights.dtype is ir.DataType.BFLOAT16 and weights.const_value is not None:
                weights.const_value = ir.tensor(weights.const_value.numpy().astype(np.float32), name=weights.name)
                weights.dtype = WIDE
        for node in model.graph.all_nodes():
            for output in node.outputs:
                if output.dtype is ir.DataType.BFLOAT16:
                    output.dtype = WIDE
            target = node.attributes.get("to")
            if node.op_type == "Cast" and target is not None and target.as_int() == ir.DataType.BFLOAT16:
                node.attributes["to"] = ir.AttrInt64("to", WIDE)
        ir.save(model, wide / MODEL, external_data=MODEL + ".data")
        files = {path.name: sha256(path) for path in wide.iterdir()}
        write_json(wide / MANIFEST, read_manifest(folder) | {"files": files})
        yield wide
