"""The networks that are not trained, and what they make of photographs."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from mvsam.networks.image_encoder import ImageFeatures, Sam2ImageEncoder
from mvsam.networks.pi3 import Pi3
from mvsam.networks.presets import Preset
from mvsam.pipeline.frames import geometry_image, photograph_rect, scene_size
from mvsam.pipeline.request import Geometry
from mvsam.training.decoder_task import SampleSource
from mvsam.training.example import Example
from mvsam.training.feature_cache import Encoded, FeatureCache
from mvsam.training.placing import PlacedSample

Rect = tuple[int, int, int, int]  # x, y, w, h


class FrozenNetworks:
    """π³ and the image encoder as they are. May be asked from several threads at once.

    An example goes through them alone, so that what they make of it does not depend on the others of its batch.

    Args:
        preset: sizes.
        pi3: None where every example brings its own geometry.
        encoder: None where it is trained.
        device: where they compute, and where features stay.
        cache: where what they make of an example is kept.
    """

    def __init__(
        self,
        preset: Preset,
        pi3: Pi3 | None,
        encoder: Sam2ImageEncoder | None,
        device: torch.device,
        cache: FeatureCache | None = None,
    ) -> None:
        self.preset, self.pi3, self.encoder, self.device, self.cache = preset, pi3, encoder, device, cache
        for network in (pi3, encoder):
            if network is not None:
                network.to(device).eval().requires_grad_(False)

    def encoded(self, example: Example, image: np.ndarray | None) -> Encoded:
        """What they make of an example.

        Args:
            example: whose geometry is estimated where it has none.
            image: float32 [3, S, S], its first photograph as the encoder sees it; None where features are not wanted.
        """
        if self.cache is None:
            return self._computed(example, image)
        key = _digest(example.photographs)
        if (kept := self.cache.get(key)) is None:
            computed = self._computed(example, image)
            self.cache.put(key, computed)
            kept = self.cache.get(key) or computed  # rounded, as it will be found the next time
        return kept

    @torch.no_grad()
    def features(self, image: np.ndarray | None) -> ImageFeatures | None:
        """The encoder's features [1, ...] of one image, float32 [3, S, S]; None without one of them."""
        return (
            None
            if self.encoder is None or image is None
            else self.encoder(torch.from_numpy(image)[None].to(self.device))
        )

    @torch.no_grad()
    def geometry(self, photographs: Sequence[np.ndarray]) -> Geometry:
        """π³'s estimate for the photographs of one scene, uint8 [h, w, 3] each; what surrounds them is not valid.

        Raises:
            ValueError: there is no π³.
        """
        if self.pi3 is None:
            raise ValueError("photographs without geometry, and no π³ to estimate it")
        (height, width), rects = laid_out(photographs, self.preset)
        pairs = zip(photographs, rects, strict=True)
        images = np.stack([geometry_image(photograph, rect, (height, width)) for photograph, rect in pairs])
        output = self.pi3(torch.from_numpy(images)[None].to(self.device))
        valid = np.zeros((len(images), height, width), bool)
        for view, (x, y, w, h) in enumerate(rects):
            valid[view, y : y + h, x : x + w] = True
        return Geometry(output.points[0].cpu().numpy(), output.confidence_logits[0].sigmoid().cpu().numpy(), valid)

    def _computed(self, example: Example, image: np.ndarray | None) -> Encoded:
        geometry = self.geometry(example.photographs) if example.geometry is None else None
        return Encoded(self.features(image), geometry)


@dataclass(frozen=True)
class FeatureSource:
    """Samples of another source with the features that a frozen encoder makes of them."""

    source: SampleSource
    networks: FrozenNetworks

    def sample(self, step: int, example: int) -> PlacedSample:
        return self._with_features(self.source.sample(step, example))

    def held_out(self) -> dict[str, Iterable[PlacedSample]]:
        return {kind: map(self._with_features, samples) for kind, samples in self.source.held_out().items()}

    def _with_features(self, sample: PlacedSample) -> PlacedSample:
        return replace(sample, features=self.networks.features(sample.image))


def laid_out(photographs: Sequence[np.ndarray], preset: Preset) -> tuple[tuple[int, int], list[Rect]]:
    """π³'s size (H, W) for a scene's photographs and the place of each in it, as when they are served."""
    sizes = [(photograph.shape[0], photograph.shape[1]) for photograph in photographs]
    pixels, patch = preset.geometry_pixels, preset.pi3.patch
    scene = scene_size(sizes, pixels, patch)
    return scene, [photograph_rect(size, scene, pixels, patch) for size in sizes]


def _digest(photographs: Sequence[np.ndarray]) -> str:
    """SHA-256 of all pixels: names may come again in other data."""
    digest = hashlib.sha256()
    for photograph in photographs:
        digest.update(repr(photograph.shape).encode())
        digest.update(np.ascontiguousarray(photograph).data)
    return digest.hexdigest()
