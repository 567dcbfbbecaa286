"""The `tensorrt` backend of the embedded server: every model whose config.pbtxt says `backend: "tensorrt"`.

In Triton's container the C++ backend of that name loads what `make repository` has written.
"""

from mvsam.runtime.session_model import SessionModel
from mvsam.runtime.tensorrt import TensorRtSession


class TritonPythonModel(SessionModel):
    """One engine, loaded only on the machine that it was built and accepted for."""

    load = TensorRtSession.load
