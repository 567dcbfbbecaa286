"""Prompts found in other views by their 3-D points, for a decoder that knows one view at a time."""

from __future__ import annotations

import numpy as np

from mvsam.pipeline.normalization import NormalizedScene
from mvsam.pipeline.prompts import MASK_LOGIT
from mvsam.pipeline.request import PADDING
from mvsam.runtime.segmenter import Session

FEATURES = ("image_embedding", "high_res_0", "high_res_1")
POSITIVE = 1
AT_ONCE = 16  # prompts that are held against all pixels of a view
FAR = np.float32(1e6)  # where a pixel without geometry is


def pixels_of(scene: NormalizedScene, rects: np.ndarray) -> dict[str, np.ndarray]:
    """What `ProjectionSession` takes of a scene besides image features.

    Args:
        scene: of N views.
        rects: x, y, w, h of the photographs in their pointmaps, float32 [N, 4].

    Returns:
        z-scored points float32 [N, H, W, 3], far away where there is no geometry, and the rectangles.
    """
    mean, sigma = scene.statistics[:3], scene.statistics[3:6]
    points = ((scene.geometry.points - mean) / sigma).astype(np.float32)
    points[~scene.geometry.valid] = FAR
    return {"pixel_points": points, "pixel_rects": rects.astype(np.float32)}


class ProjectionSession:
    """Takes the mask decoder's place: prompts in 3-D in, logits of every object in every view out.

    A prompt stands, in another view, at the pixel whose point is nearest to it. Where none is near enough it does not
    count; a view in which no positive prompt counts is left empty.

    Args:
        decoder: SAM2's image decoder.
        tolerance: of that distance, in standard deviations of the scene's points.
    """

    def __init__(self, decoder: Session, tolerance: float) -> None:
        self._decoder, self._tolerance = decoder, tolerance
        self.types: dict[str, np.dtype] = {}  # FP32 at every precision

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`mask_logits` float32 [O, V, 4E, 4E], of the rows of V views."""
        labels, index, masks = inputs["prompt_labels"], inputs["mask_index"], inputs["mask_prompts"]
        found = np.full((*index.shape, *masks.shape[2:]), -MASK_LOGIT, np.float32)
        side = 4 * masks.shape[-1]
        pixels, distances = nearest(inputs["pixel_points"], inputs["prompt_points"])
        positions = _in_square(pixels, inputs["pixel_rects"], side)
        counts = (distances <= self._tolerance) & (labels != PADDING)[:, None]  # [O, V, Q]
        shown = (counts & (labels == POSITIVE)[:, None]).any(axis=2)
        for each, rows in enumerate(index):
            numbers = counts[each].sum(axis=1) * shown[each]
            # SAM2 takes padding for points that are nowhere: views with as many prompts go together, without any.
            for number in np.unique(numbers[numbers > 0]):
                (views,) = np.nonzero(numbers == number)
                counting = counts[each, views]
                prompts = {
                    "points": positions[each, views][counting].reshape(len(views), number, 2),
                    "labels": np.broadcast_to(labels[each], counting.shape)[counting].reshape(len(views), number),
                    "mask_prompts": masks[rows[views]],
                    "has_mask": rows[views] > 0,
                }
                features = {name: inputs[name][views].astype(np.float32) for name in FEATURES}
                found[each, views] = self._decoder.run(features | prompts)["mask_logits"]
        return {"mask_logits": found}


def nearest(points: np.ndarray, prompts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pixel of every view whose point is nearest to each prompt.

    Args:
        points: float32 [V, H, W, 3].
        prompts: float32 [O, Q, 3].

    Returns:
        Column and row int64 [O, V, Q, 2]; distances float32 [O, V, Q].
    """
    views, _, width, _ = points.shape
    objects, count, _ = prompts.shape
    wanted = prompts.reshape(-1, 3)
    pixels = np.empty((views, len(wanted), 2), np.int64)
    distances = np.empty((views, len(wanted)), np.float32)
    for view in range(views):
        flat = points[view].reshape(-1, 3)
        squares = np.square(flat).sum(axis=1)
        for start in range(0, len(wanted), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            # |p - q|² without |q|², which is the same for all pixels: one product in place of a large difference
            place = (squares - 2 * (wanted[part] @ flat.T)).argmin(axis=1)
            pixels[view, part] = np.stack([place % width, place // width], axis=1)
            distances[view, part] = np.linalg.norm(flat[place] - wanted[part], axis=1)
    shape = (views, objects, count)
    return pixels.reshape(*shape, 2).swapaxes(0, 1), distances.reshape(shape).swapaxes(0, 1)


def _in_square(pixels: np.ndarray, rects: np.ndarray, side: int) -> np.ndarray:
    """Centres of pointmap pixels [O, V, Q, 2] as pixels of the square that the image encoder sees."""
    left_top, size = rects[None, :, None, :2], rects[None, :, None, 2:]
    # SAM2 puts whole numbers at the corners of pixels and adds the half itself.
    return ((pixels + 0.5 - left_top) / size * side - 0.5).astype(np.float32)
