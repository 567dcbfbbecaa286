"""The `onnxruntime` backend of the embedded server: every model whose config.pbtxt says `backend: "onnxruntime"`.

In Triton's container the C++ backend of that name loads what `make repository` has written.
"""

from mvsam.runtime.onnx import OnnxSession
from mvsam.runtime.session_model import SessionModel


class TritonPythonModel(SessionModel):
    """One graph, computed by ONNX Runtime."""

    load = OnnxSession
