"""One training example, in NumPy: a view, the scene around it and objects in it become the decoder's tensors."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from mvsam.networks.image_encoder import ImageFeatures
from mvsam.networks.presets import Preset
from mvsam.pipeline.frames import Frame
from mvsam.pipeline.grids import sample_grid
from mvsam.pipeline.prompts import MASK_LOGIT
from mvsam.pipeline.request import PADDING, Geometry
from mvsam.pipeline.resizing import IMAGE_MEAN, IMAGE_STD
from mvsam.pipeline.statistics import scene_statistics
from mvsam.training.corrective_clicks import CHANCES
from mvsam.training.disturbance import Disturbance, disturbed
from mvsam.training.prompt_sampling import PromptSampling, damaged_mask, sample_clicks

STATISTICS_STRIDE = 2  # of the pixels that a scene's statistics are taken over during training


@dataclass(frozen=True)
class PlacedSample:
    """Fixed-size tensors of one view and K objects in it; E is the grid's side, S the encoder's, P clicks.

    Attributes:
        image: float32 [3, S, S].
        grid_points, grid_low_confidence: [E, E, 3], [E, E].
        prompt_points, prompt_low_confidence, prompt_labels: [K, P, 3], [K, P], [K, P].
        mask_prompts: float32 [K, 4E, 4E], logits.
        has_mask_prompt: bool [K].
        targets: float32 [K, 4E, 4E], the share of each pixel that the object covers.
        click_points, click_low_confidence: [4E, 4E, 3], [4E, 4E], under each pixel of a target.
        chance: float32 [K, D], random numbers for corrective clicks.
        features: what a frozen encoder made of the image; None where the encoder is trained.
    """

    image: np.ndarray
    grid_points: np.ndarray
    grid_low_confidence: np.ndarray
    prompt_points: np.ndarray
    prompt_low_confidence: np.ndarray
    prompt_labels: np.ndarray
    mask_prompts: np.ndarray
    has_mask_prompt: np.ndarray
    targets: np.ndarray
    click_points: np.ndarray
    click_low_confidence: np.ndarray
    chance: np.ndarray
    features: ImageFeatures | None = None


def place(
    image: np.ndarray,
    geometry: Geometry,
    masks: np.ndarray,
    preset: Preset,
    sampling: PromptSampling,
    disturbance: Disturbance,
    rng: np.random.Generator,
    rect: tuple[int, int, int, int] | None = None,
) -> PlacedSample | None:
    """Draws prompts on the first view's objects and lifts them; None where no object can be clicked on.

    Args:
        image: float32 [3, S, S], the first view as the encoder sees it.
        geometry: of the first view and of those that share its statistics.
        masks: bool [K, h, w] in the first view's photograph.
        preset: sizes.
        sampling: how prompts are drawn.
        disturbance: what is done to the geometry beforehand.
        rng: the only source of chance.
        rect: (x, y, w, h) of the first photograph in the geometry; None: all of it.
    """
    geometry = disturbed(geometry, disturbance, rng)
    stride = STATISTICS_STRIDE
    statistics = scene_statistics(
        Geometry(*(x[:, ::stride, ::stride] for x in (geometry.points, geometry.confidence, geometry.valid)))
    )
    mean, deviation, threshold = statistics[:3], statistics[3:6], statistics[6]
    if disturbance.wider and rng.random() < 0.5:
        mean, deviation = _as_in_a_wider_scene(mean, deviation, disturbance.wider, rng)
    first = Geometry(geometry.points[:1], geometry.confidence[:1], geometry.valid[:1])
    low = first.valid & (first.confidence <= threshold)
    left, top, width, height = rect or (0, 0, low.shape[2], low.shape[1])
    frame = Frame((masks.shape[1], masks.shape[2]), (float(left), float(top), float(width), float(height)))
    grid, grid_low = sample_grid(first, low, [frame], preset.grid_side)

    side, clicks = 4 * preset.grid_side, sampling.clicks
    placed = []
    for mask in masks:
        raster = np.zeros(low.shape[1:], bool)
        within = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
        raster[top : top + height, left : left + width] = within
        drawn = sample_clicks(raster, first.valid[0], sampling, rng)
        if drawn is None:
            continue
        points = np.zeros((clicks, 3), np.float32)
        unsure, labels = np.zeros(clicks, bool), np.full(clicks, PADDING, np.int32)
        count = len(drawn.labels)
        points[:count] = (first.points[0, drawn.rows, drawn.columns] - mean) / deviation
        unsure[:count] = low[0, drawn.rows, drawn.columns]
        labels[:count] = drawn.labels
        dense = damaged_mask(mask, sampling.reading, rng) if rng.random() < sampling.dense_share else None
        prompt = (
            np.zeros((side, side), np.float32) if dense is None else 2 * MASK_LOGIT * shares(dense, side) - MASK_LOGIT
        )
        placed.append((points, unsure, labels, prompt, dense is not None, shares(mask, side)))
    if not placed:
        return None
    points, unsure, labels, prompts, dense, targets = (np.stack(parts) for parts in zip(*placed, strict=True))
    grid_points = (grid[0] - mean) / deviation
    fine, fine_low = sample_grid(first, low, [frame], side)
    chance = rng.random((len(targets), CHANCES), dtype=np.float32)
    return PlacedSample(
        image=image,
        grid_points=grid_points,
        grid_low_confidence=grid_low[0],
        prompt_points=points,
        prompt_low_confidence=unsure,
        prompt_labels=labels,
        mask_prompts=prompts,
        has_mask_prompt=dense,
        targets=targets,
        click_points=(fine[0] - mean) / deviation,
        click_low_confidence=fine_low[0],
        chance=chance,
    )


def _as_in_a_wider_scene(
    mean: np.ndarray, deviation: np.ndarray, wider: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Statistics of a scene that reaches beyond these views: the views fill a part of it, off its middle."""
    reach = np.exp(rng.uniform(0, wider) + rng.normal(0, 0.15, 3)).astype(np.float32)
    offset = (np.maximum(1 - 1 / reach, 0) * rng.standard_normal(3)).astype(np.float32)
    return mean + offset * deviation * reach, deviation * reach


def encoder_input(photograph: np.ndarray, side: int) -> np.ndarray:
    """Returns what `encoder_image` returns, float32 [3, S, S], by PyTorch's own resize, which is several times as fast.

    Args:
        photograph: uint8 [h, w, 3].
        side: S.
    """
    pixels = torch.from_numpy(np.array(photograph)).permute(2, 0, 1)[None].float() / 255
    resized = F.interpolate(pixels, (side, side), mode="bilinear", align_corners=False, antialias=True)[0]
    return (resized.numpy() - IMAGE_MEAN[:, None, None]) / IMAGE_STD[:, None, None]


def shares(mask: np.ndarray, side: int) -> np.ndarray:
    """The share of each of side x side pixels that a mask covers: float32, from 0 to 1."""
    covered = cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return covered.clip(0, 1)  # OpenCV rounds up to 1.0000006; the focal loss of what is surely found would be NaN
