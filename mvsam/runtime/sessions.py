"""Sessions by the name of their runtime."""

from pathlib import Path
from typing import Any


def load(runtime: str, folder: Path) -> Any:
    """A session of one graph's folder; a runtime is imported when it is asked for.

    Raises:
        ValueError: there is no such runtime.
        ArtifactError, NoGpuError: as the sessions say.
    """
    match runtime:
        case "onnxruntime":
            from mvsam.runtime.onnx import OnnxSession

            return OnnxSession(folder)
        case "tensorrt":
            from mvsam.runtime.tensorrt import TensorRtSession

            return TensorRtSession.load(folder)
    raise ValueError(f"runtime {runtime!r} is none of onnxruntime, tensorrt")
