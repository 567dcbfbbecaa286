"""Sessions by the name of their runtime."""

from pathlib import Path
from typing import Any

from mvsam.cores import available_cores

AT_ONCE = {"onnxruntime": available_cores(), "tensorrt": 1}  # calls of one session that help each other


def load(runtime: str, folder: Path, threads: int | None = None) -> Any:
    """A session of one graph's folder; a runtime is imported when it is asked for.

    Args:
        runtime: its name.
        folder: of the graph or engine.
        threads: of one call on a CPU; by default every core.

    Raises:
        ValueError: there is no such runtime.
        ArtifactError, NoGpuError: as the sessions say.
    """
    match runtime:
        case "onnxruntime":
            from mvsam.runtime.onnx import OnnxSession

            return OnnxSession(folder, threads)
        case "tensorrt":
            from mvsam.runtime.tensorrt import TensorRtSession

            return TensorRtSession.load(folder)
    raise ValueError(f"runtime {runtime!r} is none of onnxruntime, tensorrt")
