"""The pointmap normaliser: pointmaps and prompts to the z-scored points and flags that the mask decoder takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mvsam.pipeline.checks import check_image_sizes
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.frames import Frame
from mvsam.pipeline.geometry_checks import (
    check_boxes_are_valid,
    check_clicks_are_valid,
    check_geometry,
    check_mask_is_valid,
)
from mvsam.pipeline.grids import sample_grid
from mvsam.pipeline.images import decode_mask
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.prompt_checks import check_prompts
from mvsam.pipeline.prompts import dense_prompts, lift_prompts
from mvsam.pipeline.request import PADDING, Geometry, Prompts
from mvsam.pipeline.statistics import LOW_CONFIDENCE_PERCENT, check_statistics, scene_statistics


@dataclass(frozen=True)
class NormalizedScene:
    """What of N views, E×E cells a view, does not depend on prompts.

    Attributes:
        geometry: whose `valid` leaves out the padding around photographs.
        frames: of the views.
        low: bool [N, H, W], low confidence.
        statistics: float32 [7]: µ, σ, c_th.
        grid_points: float32 [N, E, E, 3], z-scored.
        grid_low_confidence: bool [N, E, E].
    """

    geometry: Geometry
    frames: list[Frame]
    low: np.ndarray
    statistics: np.ndarray
    grid_points: np.ndarray
    grid_low_confidence: np.ndarray

    @classmethod
    def of(
        cls,
        geometry: Geometry,
        image_sizes: np.ndarray,
        geometry_rects: np.ndarray,
        *,
        grid_side: int,
        statistics: np.ndarray | None = None,
        low_percent: int = LOW_CONFIDENCE_PERCENT,
        max_image_pixels: int = Limits.max_image_pixels,
    ) -> NormalizedScene:
        """Z-scores a scene; arguments and errors as for `normalize`."""
        frames = _frames(geometry, image_sizes, geometry_rects, max_image_pixels)
        geometry = replace(geometry, valid=_inside(geometry.valid, frames))
        check_geometry(geometry, len(frames))
        if statistics is None:
            statistics = scene_statistics(geometry, low_percent)
        check_statistics(statistics)
        low = geometry.valid & (geometry.confidence <= statistics[6])
        points, flags = sample_grid(geometry, low, frames, grid_side)
        return cls(geometry, frames, low, statistics, _z_scored(points, statistics), flags)

    def lift(self, prompts: Prompts, go_on: Callable[[], None] = lambda: None) -> NormalizedPrompts:
        """Places prompts in the scene.

        Args:
            prompts: of O objects.
            go_on: called before each mask is decoded; raises to stop.

        Raises:
            RequestError: prompts that do not fit, or where no geometry is.
        """
        frames, valid = self.frames, self.geometry.valid
        check_prompts(prompts, [frame.size for frame in frames])
        check_clicks_are_valid(prompts, valid, frames)
        check_boxes_are_valid(prompts, valid, frames)
        masks = []
        for index, data in enumerate(prompts.masks):
            go_on()
            masks.append(decode_mask(data, f"PROMPT_MASKS: mask {index}"))
            check_mask_is_valid(prompts, index, masks[-1], valid, frames)
        go_on()
        lifted = lift_prompts(prompts, masks, self.geometry, self.low, frames)
        used = (lifted.labels != PADDING)[..., None]
        return NormalizedPrompts(
            np.where(used, _z_scored(lifted.points, self.statistics), np.float32(0)),
            lifted.low_confidence,
            lifted.labels,
            *dense_prompts(prompts, masks, len(frames), 4 * self.grid_points.shape[1]),
        )


@dataclass(frozen=True)
class NormalizedPrompts:
    """The mask decoder's inputs that change with every click: O objects, Q points an object, M masks, N views.

    Attributes:
        prompt_points: float32 [O, Q, 3], z-scored; zeros where padded.
        prompt_low_confidence: bool [O, Q].
        prompt_labels: int32 [O, Q]: 1, 0, or -1 padding.
        mask_prompts: float32 [M+1, 1, 4E, 4E], logits; row 0 stands for no mask.
        mask_index: int32 [O, N], a row of mask_prompts.
    """

    prompt_points: np.ndarray
    prompt_low_confidence: np.ndarray
    prompt_labels: np.ndarray
    mask_prompts: np.ndarray
    mask_index: np.ndarray


@dataclass(frozen=True)
class Normalized(NormalizedPrompts):
    """A scene and the prompts in it.

    Attributes:
        grid_points: float32 [N, E, E, 3], z-scored.
        grid_low_confidence: bool [N, E, E].
        statistics: float32 [7]: µ, σ, c_th of the scene.
    """

    grid_points: np.ndarray
    grid_low_confidence: np.ndarray
    statistics: np.ndarray


def normalize(
    geometry: Geometry,
    image_sizes: np.ndarray,
    geometry_rects: np.ndarray,
    prompts: Prompts,
    *,
    grid_side: int,
    statistics: np.ndarray | None = None,
    low_percent: int = LOW_CONFIDENCE_PERCENT,
    max_image_pixels: int = Limits.max_image_pixels,
) -> Normalized:
    """Z-scores a scene and lifts the prompts into it.

    Padding around photographs and invalid pixels take no part in anything. Permuting the views (and the prompts' view
    numbers) permutes the outputs and changes no bit of them.

    Args:
        geometry: N views.
        image_sizes: int32 [N, 2] (h, w) of the upright photographs.
        geometry_rects: float32 [N, 4] (x, y, w, h) of the photographs in the pointmaps.
        prompts: of O objects.
        grid_side: E.
        statistics: the scene's, float32 [7], where they are known already.
        low_percent: of the points that count as low in confidence, where the statistics are not known yet.
        max_image_pixels: as in `Limits`.

    Raises:
        RequestError: shapes that contradict each other, prompts that do not fit, or a prompt where no geometry is.
    """
    scene = NormalizedScene.of(
        geometry,
        image_sizes,
        geometry_rects,
        grid_side=grid_side,
        statistics=statistics,
        low_percent=low_percent,
        max_image_pixels=max_image_pixels,
    )
    return Normalized(
        **vars(scene.lift(prompts)),
        grid_points=scene.grid_points,
        grid_low_confidence=scene.grid_low_confidence,
        statistics=scene.statistics,
    )


def _z_scored(points: np.ndarray, statistics: np.ndarray) -> np.ndarray:
    return (points - statistics[:3]) / statistics[3:6]


def _frames(
    geometry: Geometry, image_sizes: np.ndarray, geometry_rects: np.ndarray, max_image_pixels: int
) -> list[Frame]:
    """The views' frames, once sizes and rectangles fit the pointmaps."""
    views, height, width = geometry.confidence.shape
    for name, array, columns in (("IMAGE_SIZES", image_sizes, 2), ("GEOMETRY_RECTS", geometry_rects, 4)):
        if array.shape != (views, columns):
            raise RequestError(
                f"{name} has shape {list(array.shape)}; give [{views}, {columns}], a row for each pointmap"
            )
    check_image_sizes(image_sizes, max_image_pixels)
    origin, extent = geometry_rects[:, :2], geometry_rects[:, 2:]
    if not ((origin >= 0).all() and (extent >= 1).all() and (origin + extent <= (width, height)).all()):
        raise RequestError(f"GEOMETRY_RECTS leaves the pointmaps ({width}x{height}); give x, y, w, h within them")
    return Frame.of_views(image_sizes, geometry_rects)


def _inside(valid: np.ndarray, frames: Sequence[Frame]) -> np.ndarray:
    """Validity without the padding around the photographs."""
    inside = np.zeros_like(valid)
    for view, frame in enumerate(frames):
        rows, columns = frame.extent
        inside[view, rows, columns] = valid[view, rows, columns]
    return inside
