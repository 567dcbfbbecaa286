"""A graph computed by another model of the same server.

Imported inside Triton's stub only, which alone provides `triton_python_backend_utils`.
"""

import re
from collections.abc import Sequence

import numpy as np
import triton_python_backend_utils as pb_utils  # pyright: ignore[reportMissingImports]

from mvsam.pipeline.errors import BusyError

# What Triton says of a model whose process was lost, until it is back.
AWAY = re.compile("not ready|not healthy|[Ss]tub process|is unloading|unknown model")


class TritonSession:
    """One model of the server, called from whichever thread.

    Args:
        model: its name.
        outputs: those that are wanted.
    """

    def __init__(self, model: str, outputs: Sequence[str]) -> None:
        self.model, self.outputs = model, list(outputs)
        self.types: dict[str, np.dtype] = {}  # the server refuses wrong ones

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every output by name.

        Raises:
            BusyError: the model's process was lost; another will soon be there.
            RuntimeError: the model refuses or fails.
        """
        tensors = [pb_utils.Tensor(name, np.ascontiguousarray(array)) for name, array in inputs.items()]
        request = pb_utils.InferenceRequest(
            model_name=self.model,
            requested_output_names=self.outputs,
            inputs=tensors,
            preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0),
        )
        response = request.exec()
        if response.has_error():
            text = response.error().message()
            if AWAY.search(text):
                raise BusyError("a part of the service was lost; try again in a few seconds")
            raise RuntimeError(f"{self.model}: {text}")
        # Copies: the response's own memory is shared, scarce, and goes with the response.
        return {tensor.name(): np.array(tensor.as_numpy()) for tensor in response.output_tensors()}
