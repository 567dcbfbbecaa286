"""MV-SAM in this process: the service's encoder and decoder over sessions of any runtime."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvsam.evaluation.benchmarks.methods.answers import masks_of, prompts_of
from mvsam.evaluation.benchmarks.scenes import Click
from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam.pipeline.headers import read_header
from mvsam.runtime.segmenter import Session
from mvsam.scenes.encoding import SceneEncoder
from mvsam.scenes.joining import in_views, refining
from mvsam.scenes.scene import Scene

AT_ONCE = 8  # views that the decoder is given at a time


@dataclass(frozen=True)
class MvSam:
    """The method.

    Attributes:
        name: as tables call it.
        encoder: makes scenes.
        decoder: the mask decoder's session.
    """

    name: str
    encoder: SceneEncoder
    decoder: Session
    needs_geometry: bool = False

    def prepare(self, photographs: Sequence[bytes], pointmaps: Pointmaps | None) -> "PreparedMvSam":
        """Encodes the scene; see `Method`."""
        sizes = [read_header(data, f"view {view}").size for view, data in enumerate(photographs)]
        geometry = None if pointmaps is None else pointmaps.geometry
        return PreparedMvSam(self.encoder.encode(photographs, sizes, geometry), sizes, self.decoder)


@dataclass(frozen=True)
class PreparedMvSam:
    """An encoded scene."""

    scene: Scene
    sizes: Sequence[tuple[int, int]]
    decoder: Session

    def masks(self, clicks: Sequence[Click]) -> list[np.ndarray]:
        """See `Prepared`."""
        return self.refined(clicks, None)[0]

    def refined(self, clicks: Sequence[Click], former: np.ndarray | None) -> tuple[list[np.ndarray], np.ndarray]:
        """See `Refining`; answers are the decoder's own logits, float32 [1, N, 4E, 4E]."""
        placed = self.scene.normalized.lift(prompts_of(clicks))
        parts = []
        for start in range(0, self.scene.views, AT_ONCE):
            views = slice(start, min(start + AT_ONCE, self.scene.views))
            features = {name: np.asarray(rows)[views] for name, rows in self.scene.features.items()}
            prompts = refining(in_views(placed, views), [(1, former)], views)
            parts.append(self.decoder.run(features | vars(prompts))["mask_logits"])
        logits = np.concatenate(parts, axis=1)
        fused = logits if self.scene.grid is None else self.scene.grid.fused(logits)
        return masks_of(fused[0], self.sizes, clicks), logits

    def close(self) -> None:
        """Nothing is kept elsewhere."""
