"""A graph computed by ONNX Runtime."""

import os
from pathlib import Path

import numpy as np

from mvsam.runtime.artifacts import verified

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read at import; photographs are nobody else's business
import onnxruntime

MODEL = "model.onnx"
SLOW = ["SkipLayerNormFusion"]  # its kernel takes longer than the addition and the LayerNorm that it replaces


def cpu_session(model: Path, threads: int | None = None) -> onnxruntime.InferenceSession:
    """ONNX Runtime's own session on the CPU.

    Args:
        model: a file that is known to be the right one.
        threads: of one operator; by default every core.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    # Several graphs share the cores: a pool that spins while idle slows the others down.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        str(model), options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW
    )


class OnnxSession:
    """One exported graph, loaded only if its manifest names its files' hashes.

    Args:
        folder: the graph's folder, with model.onnx and manifest.json.
        threads: threads of one operator; by default every core.

    Raises:
        ArtifactError: the folder does not hold what its manifest says.
    """

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self.manifest = verified(folder)
        self._session = cpu_session(folder / MODEL, threads)
        self.inputs = [tensor.name for tensor in self._session.get_inputs()]
        self.outputs = [tensor.name for tensor in self._session.get_outputs()]
        self.types = {
            name: np.dtype(kind) for name, kind in self.manifest.get("types", {}).items() if name in self.inputs
        }

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every output by name."""
        results = self._session.run(None, inputs)
        return {name: np.asarray(result) for name, result in zip(self.outputs, results, strict=True)}
