"""Decoder examples out of synthetic scenes: a view, a few objects in it, and the scene's other views for statistics."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvsam.networks.presets import Preset
from mvsam.pipeline.request import Geometry
from mvsam.pipeline.resizing import encoder_image
from mvsam.synthetic.scene import BACKGROUND, Scene
from mvsam.training.disturbance import Disturbance
from mvsam.training.placing import PlacedSample, place
from mvsam.training.prompt_sampling import PromptSampling

TRIES = 20  # other views and scenes looked at where one shows no object
GEOMETRY_STRIDE = 2  # of the pixels whose points are kept: estimated pointmaps are coarser than photographs too
HELD_OUT_STEP = 2**31  # the "step" whose examples are validated on


@dataclass(frozen=True)
class Variation:
    """How much a scene is varied each time it is seen.

    Attributes:
        objects: at most so many objects a view.
        smallest: an object's least share of the picture.
        mirrored: share of the examples whose pictures are mirrored (their points are not: the frame is arbitrary).
        turned: share of the examples whose points are turned freely in space; the others about the vertical.
        brightness: deviation of the logarithm of each channel's gain.
    """

    objects: int = 3
    smallest: float = 0.002
    mirrored: float = 0.5
    turned: float = 0.5
    brightness: float = 0.1


@dataclass(frozen=True)
class SceneSource:
    """Examples from scenes that are all at hand.

    Attributes:
        scenes: trained on.
        held_out_scenes: never trained on.
        preset: sizes.
        sampling, disturbance, variation: what is drawn anew each time.
        seed: of all that is drawn.
    """

    scenes: Sequence[Scene]
    held_out_scenes: Sequence[Scene]
    preset: Preset
    sampling: PromptSampling
    disturbance: Disturbance
    variation: Variation = Variation()
    seed: int = 0

    def sample(self, step: int, example: int) -> PlacedSample:
        """Example number `example` of a step."""
        rng = np.random.default_rng((self.seed, step, example))
        for _ in range(TRIES):
            scene = self.scenes[int(rng.integers(len(self.scenes)))]
            placed = self._placed(scene, rng)
            if placed is not None:
                return placed
        raise ValueError(f"no object of at least {self.variation.smallest:.1%} of a picture in {TRIES} scenes")

    def held_out(self) -> list[PlacedSample]:
        """One example from every held-out scene, always the same."""
        samples = (
            self._placed(scene, np.random.default_rng((self.seed, HELD_OUT_STEP, index)))
            for index, scene in enumerate(self.held_out_scenes)
        )
        return [sample for sample in samples if sample is not None]

    def _placed(self, scene: Scene, rng: np.random.Generator) -> PlacedSample | None:
        order = rng.permutation(len(scene.images))
        labels = scene.objects[order[0]]
        found, areas = np.unique(labels[labels != BACKGROUND], return_counts=True)
        chosen = rng.permutation(found[areas >= self.variation.smallest * labels.size])[: self.variation.objects]
        if not len(chosen):
            return None
        picture = _lit(scene.images[order[0]], self.variation.brightness, rng)
        points = scene.points[order, ::GEOMETRY_STRIDE, ::GEOMETRY_STRIDE] @ _turn(
            rng, free=rng.random() < self.variation.turned
        )
        masks = labels[None] == chosen[:, None, None]
        valid = scene.valid[order, ::GEOMETRY_STRIDE, ::GEOMETRY_STRIDE]
        if rng.random() < self.variation.mirrored:
            picture, masks = picture[:, ::-1], masks[:, :, ::-1]
            points, valid = points[:, :, ::-1], valid[:, :, ::-1]
        geometry = Geometry(points.astype(np.float32), np.ones(valid.shape, np.float32), valid)
        image = encoder_image(np.ascontiguousarray(picture), self.preset.encoder.side)
        return place(image, geometry, masks, self.preset, self.sampling, self.disturbance, rng)


def _turn(rng: np.random.Generator, *, free: bool) -> np.ndarray:
    """A random rotation, float32 [3, 3]: about the vertical, or any."""
    if free:
        q = rng.standard_normal(4)
    else:
        angle = rng.uniform(0, np.pi)
        q = np.array([np.cos(angle), 0, 0, np.sin(angle)])
    w, x, y, z = q / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ],
        np.float32,
    )


def _lit(picture: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """A photograph under other light: uint8 [h, w, 3]."""
    gain = np.exp(deviation * (rng.standard_normal() + 0.5 * rng.standard_normal(3)))
    return np.clip(picture * gain + 0.5, 0, 255).astype(np.uint8)
