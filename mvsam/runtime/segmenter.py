"""The whole chain in one process: what the Triton ensemble does over several, for tests, evaluation and calibration."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from mvsam.pipeline.limits import Limits
from mvsam.pipeline.normalization import Normalized, normalize
from mvsam.pipeline.preprocessing import Preprocessed, preprocess
from mvsam.pipeline.request import Geometry, Prompts


class Rows(Protocol):
    """An array wherever its runtime wants it, taken by rows; `np.asarray` brings it back."""

    @property
    def nbytes(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Any: ...


class Session(Protocol):
    """A graph that some runtime computes.

    Attributes:
        types: of the inputs that are not FP32 at every precision.
    """

    types: dict[str, np.dtype]

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]: ...


@dataclass(frozen=True)
class Segmented:
    """Every intermediate of one request."""

    prepared: Preprocessed
    geometry: Geometry
    normalized: Normalized
    mask_logits: np.ndarray  # float32 [O, N, 4E, 4E]


@dataclass(frozen=True)
class Segmenter:
    """The graphs, in the chain's order, and the preset's constants."""

    pi3: Session
    sam2_encoder: Session
    point_embedder: Session
    mask_decoder: Session
    encoder_side: int
    geometry_pixels: int
    limits: Limits = field(default_factory=Limits)

    def segment(self, images: Sequence[bytes], prompts: Prompts, geometry: Geometry | None = None) -> Segmented:
        """Photographs and prompts to mask logits.

        Args:
            images: N encoded photographs.
            prompts: clicks, boxes and masks on them.
            geometry: the user's own pointmaps instead of π³'s.

        Raises:
            RequestError: the request is at fault.
        """
        prepared = preprocess(
            images,
            prompts,
            encoder_side=self.encoder_side,
            geometry_pixels=self.geometry_pixels,
            limits=self.limits,
            geometry=geometry,
        )
        if geometry is None:
            assert prepared.geometry_images is not None
            pointmap = self.pi3.run({"images": prepared.geometry_images})
            geometry = Geometry.of(pointmap["points"], pointmap["confidence"])
        features = self.sam2_encoder.run({"images": prepared.encoder_images})
        normalized = normalize(
            geometry, prepared.image_sizes, prepared.geometry_rects, prompts, grid_side=self.encoder_side // 16
        )
        points = self.point_embedder.run(
            {
                "image_embedding": features["image_embedding"],
                "grid_points": normalized.grid_points,
                "grid_low_confidence": normalized.grid_low_confidence,
            }
        )
        logits = self.mask_decoder.run(
            {
                **points,
                "high_res_0": features["high_res_0"],
                "high_res_1": features["high_res_1"],
                "prompt_points": normalized.prompt_points,
                "prompt_low_confidence": normalized.prompt_low_confidence,
                "prompt_labels": normalized.prompt_labels,
                "mask_prompts": normalized.mask_prompts,
                "mask_index": normalized.mask_index,
            }
        )["mask_logits"]
        return Segmented(prepared, geometry, normalized, logits)
