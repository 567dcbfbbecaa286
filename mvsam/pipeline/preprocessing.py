"""Photographs to the tensors that π³ and the image encoder take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvsam.pipeline.checks import check_answer_bytes, check_request
from mvsam.pipeline.encodings import MaskEncoding
from mvsam.pipeline.frames import Frame, geometry_image, photograph_rect, scene_size
from mvsam.pipeline.geometry_checks import check_mask_is_valid
from mvsam.pipeline.images import decode_mask, decode_photograph
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.request import Geometry, Prompts
from mvsam.pipeline.resizing import encoder_image


@dataclass(frozen=True, eq=False)
class Layout:
    """Where N photographs lie in their pointmaps.

    Attributes:
        size: (H, W), of every view's pointmap.
        image_sizes: int32 [N, 2], (h, w) upright.
        geometry_rects: float32 [N, 4], (x, y, w, h) of each photograph inside H×W.
    """

    size: tuple[int, int]
    image_sizes: np.ndarray
    geometry_rects: np.ndarray

    @classmethod
    def of(
        cls, sizes: Sequence[tuple[int, int]], geometry_pixels: int, geometry: Geometry | None = None, patch: int = 14
    ) -> Layout:
        """Of photographs of these sizes (h, w); the user's own geometry covers each whole photograph."""
        if geometry is None:
            scene = scene_size(sizes, geometry_pixels, patch)
            rects = [photograph_rect(size, scene, geometry_pixels, patch) for size in sizes]
        else:
            scene = geometry.confidence.shape[1], geometry.confidence.shape[2]
            rects = [(0, 0, scene[1], scene[0])] * len(sizes)
        return cls(scene, np.array(sizes, np.int32), np.array(rects, np.float32))

    def geometry_image(self, photograph: np.ndarray, view: int) -> np.ndarray:
        """What π³ sees of a photograph (uint8 [h, w, 3]): float32 [3, H, W] in [0, 1]."""
        left, top, width, height = (int(side) for side in self.geometry_rects[view])
        return geometry_image(photograph, (left, top, width, height), self.size)


@dataclass(frozen=True)
class Preprocessed:
    """N photographs, ready for the networks.

    Attributes:
        geometry_images: float32 [N, 3, H, W] in [0, 1]; None where the user brought the geometry.
        encoder_images: float32 [N, 3, S, S], ImageNet-normalised.
        image_sizes: int32 [N, 2], (h, w) upright.
        geometry_rects: float32 [N, 4], (x, y, w, h) of each photograph inside H×W.
    """

    geometry_images: np.ndarray | None
    encoder_images: np.ndarray
    image_sizes: np.ndarray
    geometry_rects: np.ndarray


def preprocess(
    images: Sequence[bytes],
    prompts: Prompts,
    *,
    encoder_side: int,
    geometry_pixels: int,
    limits: Limits,
    geometry: Geometry | None = None,
    patch: int = 14,
    encoding: MaskEncoding = MaskEncoding.RLE,
) -> Preprocessed:
    """Checks the whole request, the mask prompts' pixels too, then decodes and resizes its photographs one at a time.

    Args:
        images: N encoded photographs (JPEG, PNG or WebP).
        prompts: checked here, used by `normalization.normalize`.
        encoder_side: S in pixels.
        geometry_pixels: the most pixels of H×W.
        limits: of the request.
        geometry: the user's own, whose H×W covers each whole photograph.
        patch: H and W are multiples of it.
        encoding: that the masks will have.

    Raises:
        RequestError: see `checks.check_request`; or a photograph or mask is damaged, or a mask holds nothing.
    """
    sizes = [header.size for header in check_request(images, prompts, limits, geometry)]
    layout = Layout.of(sizes, geometry_pixels, geometry, patch)
    check_answer_bytes(layout.image_sizes, prompts.objects, encoding, limits.max_raw_bytes)
    geometry_images = np.empty((len(images), 3, *layout.size), np.float32) if geometry is None else None
    _check_masks(prompts, geometry, Frame.of_views(layout.image_sizes, layout.geometry_rects))
    encoder_images = np.empty((len(images), 3, encoder_side, encoder_side), np.float32)
    for view, data in enumerate(images):
        photograph = decode_photograph(data, f"IMAGES: view {view}")
        encoder_images[view] = encoder_image(photograph, encoder_side)
        if geometry_images is not None:
            geometry_images[view] = layout.geometry_image(photograph, view)
    return Preprocessed(geometry_images, encoder_images, layout.image_sizes, layout.geometry_rects)


def _check_masks(prompts: Prompts, geometry: Geometry | None, frames: Sequence[Frame]) -> None:
    """Decodes the mask prompts for their faults only: `normalize` would tell them too, but after the networks."""
    for index, data in enumerate(prompts.masks):
        mask = decode_mask(data, f"PROMPT_MASKS: mask {index}")
        if geometry is not None:
            check_mask_is_valid(prompts, index, mask, geometry.valid, frames)
