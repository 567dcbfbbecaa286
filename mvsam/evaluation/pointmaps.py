"""`make evaluate-geometry`: π³'s pointmaps of held-out synthetic scenes against the exact ones.

Both are compared after a similarity alignment (see `alignment`). The rival is the mean pointmap: the same map for every
view, the mean of exact maps in their cameras' frames over training scenes.
"""

import argparse
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from mvsam.evaluation.alignment import aligned_distances
from mvsam.networks.checkpoints import CheckpointError, WeightSource, load_network
from mvsam.networks.presets import PRESETS, Preset, preset_named
from mvsam.networks.threads import use_available_cores
from mvsam.pipeline.frames import geometry_image, photograph_rect, scene_size
from mvsam.runtime.artifacts import write_json
from mvsam.synthetic.scene import Baseline, Scene, Split, sample_scene

logger = logging.getLogger(__name__)

FIRST_SEED, FIRST_TRAINING_SEED = 200_000, 0
VIEWS, SIDE = 8, 256


@dataclass(frozen=True)
class Judged:
    """How good one scene's pointmaps are; lengths are relative to the scene's scale.

    Attributes:
        error: median distance from the exact points.
        mean_map_error: the same of the mean pointmap.
        rank_correlation: Spearman's, of confidence and nearness to the exact points.
        rotation: median angle between relative rotations of two views and the exact ones, degrees.
        exact_rotation: median angle between two views' exact directions, degrees: the error of never turning.
    """

    error: float
    mean_map_error: float
    rank_correlation: float
    rotation: float
    exact_rotation: float


def scenes(split: Split, first_seed: int, count: int, baseline: Baseline) -> Iterator[Scene]:
    """Scenes of consecutive seeds."""
    for seed in range(first_seed, first_seed + count):
        yield sample_scene(seed, split, views=VIEWS, height=SIDE, width=SIDE, baseline=baseline)


def sampled(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Maps [N, H, W, ...] at the centres of the pixels of a coarser size (h, w)."""
    rows, columns = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(size, maps.shape[1:3], strict=True))
    return maps[:, rows[:, None], columns]


def local_points(points: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """World points [N, H, W, 3] in their cameras' frames."""
    return np.einsum("nhwi,nij->nhwj", points - poses[:, None, None, :3, 3], poses[:, :3, :3])


def mean_map(training: Iterator[Scene], size: tuple[int, int]) -> np.ndarray:
    """The mean of exact maps [h, w, 3] in their cameras' frames, each scene at a mean depth of one."""
    maps = []
    for scene in training:
        local = local_points(sampled(scene.points, size), scene.camera_poses)
        maps.append(local.mean(0) / local[..., 2].mean())
    return np.mean(maps, axis=0)


def judge(network: torch.nn.Module, preset: Preset, scene: Scene, rival: np.ndarray) -> Judged:
    """Runs π³ as the service does, and compares."""
    patch, pixels = preset.pi3.patch, preset.geometry_pixels
    sizes = [(image.shape[0], image.shape[1]) for image in scene.images]
    size = scene_size(sizes, pixels, patch)
    rects = [photograph_rect(each, size, pixels, patch) for each in sizes]
    images = np.stack([geometry_image(x, rect, size) for x, rect in zip(scene.images, rects, strict=True)])
    with torch.inference_mode():
        output = network(torch.from_numpy(images)[None])
    exact = sampled(scene.points, size)
    distances = aligned_distances(output.points[0].numpy(), exact)
    nearness = np.asarray(spearmanr(output.confidence_logits[0].numpy().ravel(), -distances.ravel()))[0]
    upper = np.triu_indices(len(images), 1)
    found_turns, exact_turns = (_relative(x) for x in (output.camera_poses[0].numpy(), scene.camera_poses))
    return Judged(
        error=float(np.median(distances)),
        mean_map_error=float(np.median(aligned_distances(np.broadcast_to(rival, exact.shape), exact))),
        rank_correlation=float(nearness),
        rotation=float(np.median(_angles(found_turns, exact_turns)[upper])),
        exact_rotation=float(np.median(_angles(exact_turns, np.eye(3))[upper])),
    )


def _relative(poses: np.ndarray) -> np.ndarray:
    turns = poses[:, :3, :3].astype(np.float64)
    return np.einsum("aji,bjk->abik", turns, turns)


def _angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between rotations [..., 3, 3]."""
    cosine = (np.einsum("...ij,...ij->...", a, np.broadcast_to(b, a.shape)) - 1) / 2
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def figures(judged: list[Judged]) -> dict[str, float]:
    """Medians over the scenes, and the spread of the main figure."""
    errors = np.array([each.error for each in judged])
    low, middle, high = np.quantile(errors, (0.25, 0.5, 0.75))
    return {
        "scenes": len(judged),
        "pointmap error, median": float(middle),
        "lower quartile": float(low),
        "upper quartile": float(high),
        "pointmap error of the mean pointmap, median": float(np.median([x.mean_map_error for x in judged])),
        "rank correlation of confidence and nearness, mean": float(np.mean([x.rank_correlation for x in judged])),
        "relative rotation error, median, degrees": float(np.median([x.rotation for x in judged])),
        "relative rotation between views, median, degrees": float(np.median([x.exact_rotation for x in judged])),
    }


def main(arguments: list[str] | None = None) -> int:
    """Writes the figures and prints them."""
    parser = argparse.ArgumentParser(prog="make evaluate-geometry", description=main.__doc__)
    parser.add_argument("--preset", default="demo", choices=list(PRESETS))
    parser.add_argument("--weights-directory", type=Path, default=Path("weights"))
    parser.add_argument("--scenes", type=int, default=50)
    parser.add_argument("--averaged-over", type=int, default=100, help="training scenes for the mean map (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("out/geometry.json"))
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    use_available_cores()
    preset = preset_named(chosen.preset)
    try:
        network, provenance = load_network(preset, "pi3", WeightSource.FILES, chosen.weights_directory)
    except CheckpointError as error:
        logger.error("%s", error)
        return 1
    size = scene_size([(SIDE, SIDE)], preset.geometry_pixels, preset.pi3.patch)
    rival = mean_map(scenes(Split.TRAIN, FIRST_TRAINING_SEED, chosen.averaged_over, Baseline.ANY), size)
    result: dict[str, Any] = {"weights": provenance}
    for baseline in (Baseline.ANY, Baseline.NARROW):
        held_out = scenes(Split.TEST, FIRST_SEED, chosen.scenes, baseline)
        result[baseline.name.lower()] = figures([judge(network.eval(), preset, scene, rival) for scene in held_out])
        logger.info("%s baselines: %s", baseline.name.lower(), result[baseline.name.lower()])
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(chosen.output, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
