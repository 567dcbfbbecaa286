"""A graph computed by a TensorRT engine, through Polygraphy."""

from pathlib import Path
from typing import Any

import numpy as np

from mvsam.runtime.engines import PLAN, Machine, check_engine


class TensorRtSession:
    """One engine.

    Args:
        plan: a serialized engine. It is executable code: only one that was just built, or that `load` has checked.
        manifest: the engine's, of which its tensors' names and types are taken.
    """

    def __init__(self, plan: bytes, manifest: dict[str, Any]) -> None:
        from polygraphy.backend.trt import EngineFromBytes, TrtRunner

        self.manifest = manifest
        self.inputs: list[str] = list(manifest["inputs"])
        self.outputs: list[str] = list(manifest["outputs"])
        self.types = {name: np.dtype(kind) for name, kind in manifest["types"].items() if name in self.inputs}
        self._runner = TrtRunner(EngineFromBytes(plan))
        self._runner.activate()

    @classmethod
    def load(cls, folder: Path) -> "TensorRtSession":
        """The engine of a folder, if its manifest says that it belongs here.

        Raises:
            NoGpuError: there is no GPU, or no TensorRT.
            ArtifactError: the engine is not what its manifest says, not accepted, or of another machine.
        """
        manifest = check_engine(folder, Machine.here())
        return cls((folder / PLAN).read_bytes(), manifest)

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every output by name."""
        feed = {name: np.ascontiguousarray(inputs[name]) for name in self.inputs}
        found = self._runner.infer(feed)
        return {name: np.array(found[name]) for name in self.outputs}  # the runner's own are overwritten next time
