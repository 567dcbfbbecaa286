"""The `tensorrt` backend of the embedded server: every model whose config.pbtxt says `backend: "tensorrt"`.

In the NGC container the C++ backend of that name reads the same config.pbtxt.
"""

from mvsam.runtime.session_model import SessionModel
from mvsam.runtime.tensorrt import TensorRtSession


class TritonPythonModel(SessionModel):
    """One engine, loaded only on the machine that it was built and accepted for."""

    load = TensorRtSession.load
