"""Decoder examples out of a stream of photographs with masks: SA-1B's, or a user's own scenes."""

import itertools
from collections.abc import Generator, Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Protocol

import numpy as np

from mvsam.networks.presets import Preset
from mvsam.pipeline.request import Geometry
from mvsam.training.augmentation import View, augmented, of_pixels
from mvsam.training.disturbance import Disturbance
from mvsam.training.example import Example, Part
from mvsam.training.frozen import FrozenNetworks, Rect, laid_out
from mvsam.training.in_order import in_order
from mvsam.training.layered_geometry import LayerSampling, layered_points
from mvsam.training.placing import PlacedSample, encoder_input, place
from mvsam.training.prompt_sampling import PromptSampling
from mvsam.training.scene_source import Variation
from mvsam.training.skipped import Cause, Skipped
from mvsam.training.stream import StreamState, resumed

VALIDATED = 64  # held-out examples looked at: a shard of SA-1B holds 11,000


class Photographs(Protocol):
    """Examples that are read in order, epoch by epoch: `Sa1b` or `UserScenes`."""

    @property
    def part(self) -> Part: ...

    @property
    def skipped(self) -> Skipped: ...

    def examples(self, epoch: int = 0, start: int = 0) -> Generator[Example, None, None]: ...


class PhotographSource:
    """Single-view samples of photographs, each with the geometry of all its scene's views.

    It gives this process' samples in the order of the stream and passes over photographs on which no object can be
    clicked. Everything drawn for a sample depends on the seed, the epoch and its place alone.

    Args:
        training: read epoch after epoch.
        held_out: validated on.
        networks: for features and geometry.
        preset: sizes.
        sampling, disturbance, variation: what is drawn anew each epoch.
        layered: share of the photographs without geometry that get layers in depth instead of π³'s estimate.
        varied: whether photographs are augmented; not where a frozen encoder's features are kept.
        threads: samples made at a time.
        seed: of all that is drawn.
    """

    def __init__(
        self,
        training: Photographs,
        held_out: Photographs | None,
        networks: FrozenNetworks,
        preset: Preset,
        sampling: PromptSampling,
        disturbance: Disturbance,
        variation: Variation,
        *,
        layered: float = 0.0,
        varied: bool = False,
        threads: int = 2,
        seed: int = 0,
    ) -> None:
        self.training, self.held_out_photographs, self.networks, self.preset = training, held_out, networks, preset
        self.sampling, self.disturbance, self.variation = sampling, disturbance, variation
        self.layered, self.varied = layered, varied
        self.threads, self.seed = threads, seed
        self.resume([])

    def state(self) -> StreamState:
        """After the sample given last."""
        return self._state

    def resume(self, states: Sequence[StreamState]) -> None:
        """Goes on where the processes of a run stood; without any, at the first epoch's beginning."""
        self._state = resumed(states, self.training.part)
        self._samples = self._endless(self._state)

    def sample(self, step: int, example: int) -> PlacedSample:
        """The next sample, whatever its number.

        Raises:
            ValueError: a whole epoch has none.
        """
        return next(self._samples)

    def held_out(self) -> dict[str, Iterable[PlacedSample]]:
        """The first few held-out samples as they are, always the same."""
        if self.held_out_photographs is None:
            return {}
        placed = in_order(self._placed, self.held_out_photographs.examples(), self.threads)
        return {"photographs": itertools.islice((sample for _, sample in placed if sample is not None), VALIDATED)}

    def _endless(self, state: StreamState) -> Generator[PlacedSample, None, None]:
        """From a state on. What is passed over counts with the next sample: examples are read ahead."""
        self.training.skipped.become(state.skipped)
        unclickable = Skipped()
        start, found = state.place, state.place > 0
        for epoch in itertools.count(state.epoch):
            examples = ((example, deepcopy(self.training.skipped)) for example in self.training.examples(epoch, start))
            placed = in_order(lambda item, epoch=epoch: self._drawn(item[0], epoch), examples, self.threads)
            for (example, skipped), sample in placed:
                if sample is None:
                    unclickable.add(Cause.NO_MASK, example.key)
                    continue
                found = True
                self._state = StreamState(epoch, example.place + 1, skipped + unclickable)
                yield sample
            if not found:
                raise ValueError(
                    f"no example of an epoch can be used by process {self.training.part.index} of "
                    f"{self.training.part.count} ({self.training.skipped + unclickable}): give other data, or more"
                )
            start, found = 0, False

    def _drawn(self, example: Example, epoch: int) -> PlacedSample | None:
        """A training sample, varied where that is asked for."""
        rng = np.random.default_rng((self.seed, epoch, example.place))
        if not self.varied:
            return self._placed(example, rng)
        geometry = self._geometry_to_vary(example, rng)
        first = of_pixels(geometry, np.s_[:1])
        view = augmented(View(example.photographs[0], example.masks, first), self.variation.augmentation, rng)
        masks = rng.permutation(view.masks[self.variation.usable(view.masks)])[: self.variation.objects]
        if not len(masks):
            return None
        first = view.geometry
        geometry = Geometry(
            np.concatenate([first.points, geometry.points[1:]]),
            np.concatenate([first.confidence, geometry.confidence[1:]]),
            np.concatenate([first.valid, geometry.valid[1:]]),
        )
        image = encoder_input(view.photograph, self.preset.encoder.side)
        return place(image, geometry, masks, self.preset, self.sampling, self.disturbance, rng)

    def _geometry_to_vary(self, example: Example, rng: np.random.Generator) -> Geometry:
        """An example's own geometry, layers in depth, or π³'s estimate; the first view's covers its photograph."""
        if example.geometry is not None:
            return example.geometry
        size, rects = laid_out(example.photographs, self.preset)
        if len(example.photographs) == 1 and rng.random() < self.layered:
            points = layered_points(example.masks, size, LayerSampling(), rng)[None]
            return Geometry(points, np.ones(points.shape[:3], np.float32), np.ones(points.shape[:3], bool))
        geometry = self.networks.encoded(example, None).geometry
        assert geometry is not None
        return covering(geometry, rects[0])

    def _placed(self, example: Example, rng: np.random.Generator | None = None) -> PlacedSample | None:
        """A sample of an example as it is."""
        rng = rng or np.random.default_rng((self.seed, 0, example.place))
        image = encoder_input(example.photographs[0], self.preset.encoder.side)
        encoded = self.networks.encoded(example, image)
        geometry, rect = example.geometry, None
        if geometry is None:
            geometry, rect = encoded.geometry, laid_out(example.photographs, self.preset)[1][0]
        assert geometry is not None
        masks = example.masks[rng.permutation(len(example.masks))[: self.variation.objects]]
        sample = place(image, geometry, masks, self.preset, self.sampling, self.disturbance, rng, rect)
        return sample and replace(sample, features=encoded.features)


def covering(geometry: Geometry, rect: Rect) -> Geometry:
    """Returns geometry whose first view's map covers its photograph, which filled a rectangle of it before."""
    left, top, width, height = rect
    rows = top + np.arange(geometry.valid.shape[1]) * height // geometry.valid.shape[1]
    columns = left + np.arange(geometry.valid.shape[2]) * width // geometry.valid.shape[2]
    first = of_pixels(geometry, np.s_[:1, rows[:, None], columns])
    points, confidence, valid = geometry.points.copy(), geometry.confidence.copy(), geometry.valid.copy()
    points[:1], confidence[:1], valid[:1] = first.points, first.confidence, first.valid
    return Geometry(points, confidence, valid)
