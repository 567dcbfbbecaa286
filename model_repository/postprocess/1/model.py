"""Triton model `postprocess`: see config.pbtxt beside this folder."""

from typing import Any

import cv2
import numpy as np

from mvsam.cores import available_cores
from mvsam.pipeline.postprocessing import postprocess
from mvsam.pipeline.request import Prompts
from mvsam.runtime.triton import Request, encoding, parameters, prompts, respond, whole_number


class TritonPythonModel:
    """Turns logits into encoded masks at each photograph's own size."""

    def initialize(self, args: dict[str, str]) -> None:
        cv2.setNumThreads(available_cores())  # OpenCV itself sees no quota of cgroup v2
        self._max_image_pixels = whole_number(parameters(args), "max_image_pixels")

    def execute(self, requests: list[Any]) -> list[Any]:
        return respond(requests, "postprocess", self._answer)

    def _answer(self, request: Request) -> dict[str, np.ndarray]:
        logits = request["mask_logits"]
        finished = postprocess(
            logits,
            request["IMAGE_SIZES"],
            _clicks(request, len(logits)),
            encoding(request),
            max_image_pixels=self._max_image_pixels,
        )
        return {"MASKS": finished.masks, "SCORES": finished.scores, "AREAS": finished.areas}


def _clicks(request: Request, objects: int) -> Prompts:
    """The clicks of a request, none for each object where it leaves them out."""
    return Prompts.none(objects) if request.get("POINTS") is None else prompts(request)
