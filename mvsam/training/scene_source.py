"""Decoder examples out of synthetic scenes: a view, a few objects in it, and the scene's other views for statistics."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mvsam.networks.presets import Preset
from mvsam.pipeline.request import Geometry
from mvsam.synthetic.scene import BACKGROUND, Scene
from mvsam.training.augmentation import Augmentation, View, augmented, of_pixels
from mvsam.training.disturbance import Disturbance
from mvsam.training.placing import PlacedSample, encoder_input, place
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
        largest: its largest; what fills the picture teaches nothing.
        turned: share of the examples whose points are turned freely in space; the others about the vertical.
        augmentation: of the view and its masks.
    """

    objects: int = 3
    smallest: float = 0.002
    largest: float = 0.98
    turned: float = 0.5
    augmentation: Augmentation = field(default_factory=Augmentation)

    def usable(self, masks: np.ndarray) -> np.ndarray:
        """Returns which masks, bool [K, h, w], are neither too small nor too large: bool [K]."""
        share = masks.mean((1, 2)) if len(masks) else np.zeros(0)
        return (share >= self.smallest) & (share <= self.largest)


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
            placed = self._placed(scene, rng, self.variation.augmentation)
            if placed is not None:
                return placed
        raise ValueError(f"no object of at least {self.variation.smallest:.1%} of a picture in {TRIES} scenes")

    def held_out(self) -> dict[str, Iterable[PlacedSample]]:
        """One example from every held-out scene, as it is, always the same."""
        samples = (
            self._placed(scene, np.random.default_rng((self.seed, HELD_OUT_STEP, index)), Augmentation())
            for index, scene in enumerate(self.held_out_scenes)
        )
        return {"scenes": [sample for sample in samples if sample is not None]}

    def _placed(self, scene: Scene, rng: np.random.Generator, augmentation: Augmentation) -> PlacedSample | None:
        order = rng.permutation(len(scene.images))
        labels = scene.objects[order[0]]
        found = np.unique(labels[labels != BACKGROUND])
        masks = labels[None] == found[:, None, None]
        stride = GEOMETRY_STRIDE
        points = scene.points[order, ::stride, ::stride] @ _turn(rng, free=rng.random() < self.variation.turned)
        valid = scene.valid[order, ::stride, ::stride].copy()
        geometry = Geometry(points.astype(np.float32), np.ones(valid.shape, np.float32), valid)
        view = augmented(View(scene.images[order[0]], masks, of_pixels(geometry, np.s_[:1])), augmentation, rng)
        masks = rng.permutation(view.masks[self.variation.usable(view.masks)])[: self.variation.objects]
        if not len(masks):
            return None
        geometry.points[:1], geometry.valid[:1] = view.geometry.points, view.geometry.valid
        image = encoder_input(view.photograph, self.preset.encoder.side)
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
