"""A graph computed by ONNX Runtime."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mvsam.cores import available_cores
from mvsam.runtime.artifacts import verified
from mvsam.runtime.signature import Signature, Tensor

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read at import; photographs are nobody else's business
import onnxruntime

MODEL = "model.onnx"
TYPES = {"float": "FP32", "double": "FP64"}  # of ONNX Runtime's, those that Triton calls by another name
LARGE = 8  # rows of an input
SLOW = ["SkipLayerNormFusion"]  # its kernel takes longer than the addition and the LayerNorm that it replaces


def cpu_session(model: Path, threads: int | None = None) -> onnxruntime.InferenceSession:
    """ONNX Runtime's own session on the CPU.

    Args:
        model: a file that is known to be the right one.
        threads: of one operator; by default every core that is available.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or available_cores()
    # Several graphs share the cores: a pool that spins while idle slows the others down.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        str(model), options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW
    )


class OnnxSession:
    """One exported graph, loaded only if its manifest names its files' hashes.

    Args:
        folder: the graph's folder, with model.onnx and manifest.json.
        threads: threads of one operator; by default every core that is available.

    Attributes:
        signature: inputs and outputs as ONNX Runtime finds them.

    Raises:
        ArtifactError: the folder does not hold what its manifest says.
    """

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self.manifest = verified(folder)
        self._session = cpu_session(folder / MODEL, threads)
        self.signature = Signature(_tensors(self._session.get_inputs()), _tensors(self._session.get_outputs()))
        self.inputs, self.outputs = list(self.signature.inputs), list(self.signature.outputs)
        self.types = {
            name: np.dtype(kind) for name, kind in self.manifest.get("types", {}).items() if name in self.inputs
        }

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every output by name."""
        results = run_and_give_back(self._session, inputs)
        return {name: np.asarray(result) for name, result in zip(self.outputs, results, strict=True)}


def run_and_give_back(session: onnxruntime.InferenceSession, inputs: dict[str, np.ndarray]) -> list[Any]:
    """Every output in order; memory that inputs of many rows have needed is not kept for the next."""
    options = onnxruntime.RunOptions()
    if any(len(array) > LARGE for array in inputs.values()):
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return list(session.run(None, inputs, options))


def _tensors(found: Sequence[onnxruntime.NodeArg]) -> dict[str, Tensor]:
    """By name, in order; a dim without a number, which has a name or none, is the request's."""
    return {
        each.name: Tensor(_triton_type(each.type), tuple(d if isinstance(d, int) else -1 for d in each.shape))
        for each in found
    }


def _triton_type(kind: str) -> str:
    """As config.pbtxt names what ONNX Runtime calls tensor(float16)."""
    name = kind.removeprefix("tensor(").removesuffix(")")
    return "TYPE_" + TYPES.get(name, name.upper().replace("FLOAT", "FP"))
