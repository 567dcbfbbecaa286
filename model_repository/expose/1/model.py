"""Triton model `expose`: see config.pbtxt beside this folder."""

from typing import Any

import numpy as np

from mvsam.runtime.triton import Request, respond


class TritonPythonModel:
    """Answers with the tensors it is given."""

    def execute(self, requests: list[Any]) -> list[Any]:
        return respond(requests, "expose", self._answer)

    def _answer(self, request: Request) -> dict[str, np.ndarray]:
        return {name: request[name] for name in request.outputs}
