"""Scenes and questions as the decoder of a variant sees them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from mvsam.evaluation.ablations.variants import PRESET, Coordinates, Evaluation, Variant
from mvsam.evaluation.questions import Question
from mvsam.networks.image_encoder import ImageFeatures
from mvsam.networks.mask_decoder import PlacedGrid, PlacedPrompts
from mvsam.networks.presets import Attention, Positions
from mvsam.pipeline.frames import Frame
from mvsam.pipeline.grids import sample_grid
from mvsam.pipeline.request import NEGATIVE, PADDING, POSITIVE, Geometry
from mvsam.pipeline.statistics import scene_statistics
from mvsam.synthetic.scene import Scene
from mvsam.training.disturbance import disturbed

CLICKS = 12  # of an object at most
BEYOND = 2.0  # where prompts outside a picture are held; its edges are at 1
NEAREST = 1e-3  # metres before a camera: what is behind it is projected as if it were here


class DecoderInputs(NamedTuple):
    """Of O objects in D views."""

    features: ImageFeatures
    grid: PlacedGrid
    prompts: PlacedPrompts


def decoder_inputs(
    scene: Scene,
    features: ImageFeatures,
    questions: Sequence[Question],
    variant: Variant,
    evaluation: Evaluation,
    rng: np.random.Generator,
) -> DecoderInputs:
    """Places views and clicks.

    Args:
        scene: N views, all of which share the statistics; the first D of them are decoded.
        features: of the D views.
        questions: one for each object, with clicks in any of the N views.
        variant, evaluation: what is done to the geometry.
        rng: the only source of chance.
    """
    decoded = len(features.image_embedding)
    geometry = observed(scene, variant, evaluation, rng)
    low = low_confidence(geometry.confidence, variant.low_share)
    if variant.coordinates is Coordinates.STANDARDIZED:
        statistics = scene_statistics(geometry)
        points = (geometry.points - statistics[:3]) / statistics[3:6]
    else:
        points = geometry.points
    height, width = low.shape[1:]
    frame = Frame((height, width), (0.0, 0.0, float(width), float(height)))
    first = Geometry(points[:decoded], geometry.confidence[:decoded], geometry.valid[:decoded])
    grid, grid_low = sample_grid(first, low[:decoded], [frame] * decoded, PRESET.grid_side)
    prompts = [points[q.views, q.rows, q.columns] for q in questions]
    if variant.decoder.positions is Positions.IMAGE:
        grid = np.broadcast_to(_cell_centres(PRESET.grid_side), (*grid.shape[:3], 2))
        prompts = [_in_pictures(scene, question, decoded, variant.decoder.attention) for question in questions]
    labels = [np.where(q.positive, POSITIVE, NEGATIVE) for q in questions]
    flags = [low[q.views, q.rows, q.columns] for q in questions]
    side = 4 * PRESET.grid_side
    return DecoderInputs(
        features,
        PlacedGrid(torch.from_numpy(grid.astype(np.float32)), torch.from_numpy(grid_low)),
        PlacedPrompts(
            _padded(prompts, -2, 0.0).float(),
            _padded(flags, -1, False),
            _padded(labels, -1, PADDING).int(),
            torch.zeros(1, 1, side, side),
            torch.zeros(len(questions), decoded, dtype=torch.int32),
        ),
    )


def observed(scene: Scene, variant: Variant, evaluation: Evaluation, rng: np.random.Generator) -> Geometry:
    """The scene's points as a geometry network of this variant would give them."""
    geometry = Geometry(scene.points, np.ones(scene.valid.shape, np.float32), scene.valid)
    if variant.errors is not None:
        views = [
            disturbed(Geometry(*(x[v : v + 1] for x in vars(geometry).values())), variant.errors, rng)
            for v in range(len(scene.points))
        ]
        geometry = Geometry(*(np.concatenate([vars(view)[name] for view in views]) for name in vars(geometry)))
    points = geometry.points
    if evaluation.noise:
        deviation = evaluation.noise * scene_statistics(geometry)[3:6]
        points = points + deviation * rng.standard_normal(points.shape, dtype=np.float32)
    return Geometry(evaluation.scale * points, geometry.confidence, geometry.valid)


def low_confidence(confidence: np.ndarray, share: float) -> np.ndarray:
    """bool: the share of the pixels with the lowest confidence; none where all confidences are equal."""
    if share == 0:
        return np.zeros(confidence.shape, bool)
    threshold = np.quantile(confidence, share, method="inverted_cdf")
    return (confidence <= threshold) & (confidence < confidence.max())


def _cell_centres(side: int) -> np.ndarray:
    """x and y of each cell of the embedding grid, -1 to 1 across the picture: [E, E, 2]."""
    centres = (2 * np.arange(side) + 1) / side - 1
    return np.stack(np.meshgrid(centres, centres), axis=-1)


def _in_pictures(scene: Scene, question: Question, decoded: int, attention: Attention) -> np.ndarray:
    """x and y of each click, -1 to 1 across a picture: in every decoded view [D, P, 2], or in its own [P, 2]."""
    _, height, width = scene.depth.shape
    clicked = scene.points[question.views, question.rows, question.columns]
    pose, lens = scene.camera_poses, scene.intrinsics
    camera = np.einsum("npi,nij->npj", clicked - pose[:, None, :3, 3], pose[:, :3, :3])
    depth = np.maximum(camera[..., 2], NEAREST)
    pixels = [lens[:, None, i, i] * camera[..., i] / depth + lens[:, None, i, 2] for i in range(2)]
    places = np.clip(2 * np.stack(pixels, axis=-1) / (width, height) - 1, -BEYOND, BEYOND)
    if attention is Attention.FULL:
        return places[question.views, np.arange(len(question.views))]
    return places[:decoded]


def _padded(arrays: Sequence[np.ndarray], axis: int, value: float) -> torch.Tensor:
    """Arrays of up to CLICKS prompts, filled up and stacked."""
    filled = []
    for array in arrays:
        width = [(0, 0)] * array.ndim
        width[axis] = (0, CLICKS - array.shape[axis])
        filled.append(np.pad(array, width, constant_values=value))
    return torch.from_numpy(np.stack(filled))
