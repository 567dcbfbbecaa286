"""Triton model `pointmap_normalizer`: see config.pbtxt beside this folder."""

from typing import Any

import numpy as np

from mvsam.pipeline.normalization import normalize
from mvsam.pipeline.request import Geometry
from mvsam.runtime.triton import Request, parameters, prompts, respond, whole_number


class TritonPythonModel:
    """Normalises a scene's pointmap, brings it to the features' grid, and lifts the prompts to 3-D."""

    def initialize(self, args: dict[str, str]) -> None:
        given = parameters(args)
        self._grid_side = whole_number(given, "grid_side")
        self._max_image_pixels = whole_number(given, "max_image_pixels")

    def execute(self, requests: list[Any]) -> list[Any]:
        return respond(requests, "pointmap_normalizer", self._answer)

    def _answer(self, request: Request) -> dict[str, np.ndarray]:
        normalized = normalize(
            Geometry.of(request["points"], request["confidence"], request.get("VALID")),
            request["IMAGE_SIZES"],
            request["GEOMETRY_RECTS"],
            prompts(request),
            grid_side=self._grid_side,
            statistics=request.get("SCENE_STATISTICS"),
            max_image_pixels=self._max_image_pixels,
        )
        return {
            "grid_points": normalized.grid_points,
            "grid_low_confidence": normalized.grid_low_confidence,
            "prompt_points": normalized.prompt_points,
            "prompt_low_confidence": normalized.prompt_low_confidence,
            "prompt_labels": normalized.prompt_labels,
            "mask_prompts": normalized.mask_prompts,
            "mask_index": normalized.mask_index,
            "SCENE_STATISTICS": normalized.statistics,
        }
