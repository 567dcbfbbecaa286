"""A graph computed by another model of the same server.

Imported inside Triton's stub only, which alone provides `triton_python_backend_utils`.
"""

from collections.abc import Sequence

import numpy as np
import triton_python_backend_utils as pb_utils  # pyright: ignore[reportMissingImports]


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
            raise RuntimeError(f"{self.model}: {response.error().message()}")
        # Copies: the response's own memory is shared, scarce, and goes with the response.
        return {tensor.name(): np.array(tensor.as_numpy()) for tensor in response.output_tensors()}
