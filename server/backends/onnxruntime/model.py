"""The `onnxruntime` backend of the embedded server: every model whose config.pbtxt says `backend: "onnxruntime"`.

In the NGC container the C++ backend of that name reads the same config.pbtxt.
"""

from mvsam.runtime.onnx import OnnxSession
from mvsam.runtime.session_model import SessionModel


class TritonPythonModel(SessionModel):
    """One graph, computed by ONNX Runtime."""

    load = OnnxSession
