"""INT8 and FP8 encoders: scales found on representative inputs and written into exported graphs as explicit Q/DQ.

NVIDIA's ModelOpt finds them. Only products of matrices with FP16 weights are quantized, so that every island of the
typed export stays what it is. The mask decoder is left alone: it is a small part of the cost, and masks come out of it.
"""

import difflib
import importlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from export.scopes import modules
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import Precision
from mvsam.runtime.artifacts import MANIFEST, sha256, verified, write_json
from mvsam.runtime.onnx import MODEL

ENCODERS = ("pi3", "sam2_encoder")
EXTRA = "nvidia-modelopt"
Arrays = Mapping[str, np.ndarray]


class Format(StrEnum):
    """Of quantized products."""

    INT8 = "int8"
    FP8 = "fp8"


class QuantizationError(RuntimeError):
    """A graph cannot be quantized, or not here."""


class Reader:
    """Hands representative inputs to ModelOpt, as ONNX Runtime's calibrators ask for them."""

    def __init__(self, inputs: Sequence[Arrays]) -> None:
        self._inputs = inputs
        self.rewind()

    def get_first(self) -> Arrays:
        """For a trial."""
        return self._inputs[0]

    def get_next(self) -> Arrays | None:
        """None at the end."""
        return next(self._left, None)

    def rewind(self) -> None:
        """Begins again."""
        self._left: Iterator[Arrays] = iter(self._inputs)


def quantize_graph(
    folder: Path, output: Path, kind: Format, inputs: Sequence[Arrays], leave: Sequence[str] = ()
) -> dict[str, Any]:
    """Writes a quantized copy of an exported graph and returns its manifest.

    Args:
        folder: of the graph, exported at fp16 or mixed.
        output: of the copy, which appears whole or not at all.
        kind: INT8 or FP8.
        inputs: representative ones.
        leave: names of modules whose products stay as they are.

    Raises:
        ArtifactError: the folder is not what its manifest says.
        QuantizationError: ModelOpt is not installed, there is nothing to quantize, or a module's name is unknown.
    """
    quantize = _modelopt()
    manifest = verified(folder)
    nodes = products(folder / MODEL, leave)
    temporary = output.with_name(output.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    quantize(
        str(folder / MODEL),
        quantize_mode=kind.value,
        calibration_data_reader=Reader(inputs),
        calibration_method="max",
        calibration_eps=["cpu"],
        op_types_to_quantize=["MatMul"],
        nodes_to_quantize=nodes,
        high_precision_dtype="fp32",  # any other converts what is not quantized, islands too
        use_external_data_format=True,
        output_path=str(temporary / MODEL),
        log_level="WARNING",
    )
    manifest |= {
        "files": {path.name: sha256(path) for path in sorted(temporary.iterdir())},
        "quantized": {"format": kind.value, "products": len(nodes), "left": list(leave), EXTRA: version(EXTRA)},
    }
    write_json(temporary / MANIFEST, manifest)
    shutil.rmtree(output, ignore_errors=True)
    temporary.rename(output)
    return manifest


def link_others(graphs: Path, output: Path, precision: Precision) -> None:
    """Puts links to the FP32 graphs and to those that are not quantized beside those that are.

    Args:
        graphs: of a preset, as `make export` leaves them.
        output: likewise, with the quantized ones under the precision.
        precision: of the graphs that were quantized.
    """
    for name in GRAPHS:
        for each in (Precision.FP32, precision):
            link = output / each / name
            if not link.exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(os.path.relpath(graphs / each / name, link.parent), target_is_directory=True)


def products(path: Path, leave: Sequence[str] = ()) -> list[str]:
    """Names of a graph's products of matrices with FP16 weights.

    Args:
        path: of the model.
        leave: names of modules whose products are not wanted.

    Raises:
        QuantizationError: there are none, or a module's name is that of no product's.
    """
    graph = onnx.load(path, load_external_data=False).graph
    narrow = {weights.name for weights in graph.initializer if weights.data_type == onnx.TensorProto.FLOAT16}
    scopes = {
        node.name: set(modules(node))
        for node in graph.node
        if node.op_type == "MatMul" and narrow.intersection(node.input)
    }
    if not scopes:
        raise QuantizationError(f"{path} has no products with FP16 weights: export it with PRECISION=mixed or fp16")
    known = set().union(*scopes.values())
    for name in leave:
        if name not in known:
            like = difflib.get_close_matches(name, known, n=3, cutoff=0.3)
            raise QuantizationError(f"{path} has no product in a module named {name}; it has {', '.join(like)}")
    return [name for name, inside in scopes.items() if not inside.intersection(leave)]


def _modelopt() -> Any:
    try:
        version(EXTRA)
        return importlib.import_module("modelopt.onnx.quantization").quantize
    except (PackageNotFoundError, ImportError) as error:
        raise QuantizationError(
            f"quantization needs NVIDIA's ModelOpt, which is not installed ({error}): pip install -e '.[quantize]'"
        ) from None
