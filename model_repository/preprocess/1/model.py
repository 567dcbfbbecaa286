"""Triton model `preprocess`: see config.pbtxt beside this folder."""

from typing import Any

import cv2
import numpy as np

from mvsam.cores import available_cores
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.preprocessing import preprocess
from mvsam.runtime.triton import Request, encoding, geometry, parameters, prompts, respond, whole_number


class TritonPythonModel:
    """Checks a request and makes the two networks' images of its photographs."""

    def initialize(self, args: dict[str, str]) -> None:
        cv2.setNumThreads(available_cores())  # OpenCV itself sees no quota of cgroup v2
        given = parameters(args)
        self._encoder_side = whole_number(given, "encoder_side", multiple_of=16)
        self._geometry_pixels = whole_number(given, "geometry_pixels")
        self._limits = Limits.from_parameters(given)

    def execute(self, requests: list[Any]) -> list[Any]:
        return respond(requests, "preprocess", self._answer)

    def _answer(self, request: Request) -> dict[str, np.ndarray]:
        prepared = preprocess(
            list(request["IMAGES"]),
            prompts(request),
            encoder_side=self._encoder_side,
            geometry_pixels=self._geometry_pixels,
            limits=self._limits,
            geometry=geometry(request),
            encoding=encoding(request),
        )
        images = prepared.geometry_images
        return {
            "GEOMETRY_IMAGES": np.zeros((0, 3, 0, 0), np.float32) if images is None else images,
            "ENCODER_IMAGES": prepared.encoder_images,
            "IMAGE_SIZES": prepared.image_sizes,
            "GEOMETRY_RECTS": prepared.geometry_rects,
        }
