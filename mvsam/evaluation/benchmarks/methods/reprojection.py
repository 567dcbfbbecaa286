"""Prompt Projection (the paper's appendix D): clicks are carried to all views, and SAM2 answers in each view alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import numpy as np

from mvsam.evaluation.ablations.inputs import BEYOND, NEAREST
from mvsam.evaluation.benchmarks.methods.answers import masks_of, prompts_of
from mvsam.evaluation.benchmarks.scenes import Click
from mvsam.evaluation.geometry.cameras import projected
from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam.pipeline.frames import click_pixels
from mvsam.pipeline.headers import read_header
from mvsam.pipeline.images import decode_photograph
from mvsam.pipeline.normalization import NormalizedScene
from mvsam.pipeline.preprocessing import Layout
from mvsam.pipeline.prompts import MASK_LOGIT
from mvsam.pipeline.request import POSITIVE
from mvsam.pipeline.resizing import encoder_image
from mvsam.runtime.segmenter import Session
from mvsam.scenes.projection import FEATURES, nearest, pixels_of

AT_ONCE = 8  # views that a network is given at a time
TOLERANCE = 0.05  # the service's, in standard deviations of the scene's points

# Points float32 [Q, 3] to where they are in N views: x and y in pixels of the pointmaps, float [N, Q, 2], the centre of
# the first pixel at (0.5, 0.5); and whether they are there at all, bool [N, Q].
Find = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class Form(StrEnum):
    """How a click is found in another view."""

    CAMERAS = "by cameras"  # the paper's: projected into it, whatever stands in front
    CAMERAS_HELD = "by cameras, none left out"  # what is outside a picture is held outside it, what is hidden counts
    NEAREST_POINT = "by nearest point"  # the service's (`mvsam/scenes/projection.py`): only where its point is seen


@dataclass
class Projection:
    """The method.

    Attributes:
        name: as tables call it.
        encoder: SAM2's image encoder.
        decoder: SAM2's image decoder.
        encoder_side: S in pixels.
        form: how clicks are found.
    """

    name: str
    encoder: Session
    decoder: Session
    encoder_side: int
    form: Form
    needs_geometry: bool = True

    def prepare(self, photographs: Sequence[bytes], pointmaps: Pointmaps | None) -> PreparedProjection:
        """Encodes the photographs; see `Method`.

        Raises:
            ValueError: no pointmaps, no cameras where they are needed, or what does not fit or is damaged.
        """
        if pointmaps is None:
            raise ValueError(f"{self.name} needs pointmaps; choose a geometry")
        sizes = [read_header(data, f"view {view}").size for view, data in enumerate(photographs)]
        layout = Layout.of(sizes, 0, pointmaps.geometry)
        scene = NormalizedScene.of(
            pointmaps.geometry, layout.image_sizes, layout.geometry_rects, grid_side=self.encoder_side // 16
        )
        match self.form:
            case Form.NEAREST_POINT:
                points = pixels_of(scene, layout.geometry_rects)["pixel_points"]
                find = partial(by_nearest_point, points, scene.statistics)
            case _:
                if pointmaps.camera_poses is None or pointmaps.intrinsics is None:
                    raise ValueError(f"{self.name} needs camera poses and intrinsics; choose a geometry that has them")
                project = by_cameras if self.form is Form.CAMERAS else by_cameras_held
                find = partial(project, pointmaps.camera_poses, pointmaps.intrinsics, layout.size)
        return PreparedProjection(self.decoder, find, self._features(photographs), scene, self.encoder_side)

    def _features(self, photographs: Sequence[bytes]) -> dict[str, np.ndarray]:
        parts = []
        for start in range(0, len(photographs), AT_ONCE):
            images = [
                encoder_image(decode_photograph(data, f"view {view}"), self.encoder_side)
                for view, data in enumerate(photographs[start : start + AT_ONCE], start)
            ]
            parts.append(self.encoder.run({"images": np.stack(images)}))
        return {name: np.concatenate([part[name] for part in parts]) for name in FEATURES}


@dataclass(frozen=True)
class PreparedProjection:
    """An encoded scene.

    Attributes:
        decoder: SAM2's image decoder.
        find: how points are found in views.
        features: the image encoder's, N rows each.
        scene: whose points clicks are lifted to.
        encoder_side: S in pixels.
    """

    decoder: Session
    find: Find
    features: Mapping[str, np.ndarray]
    scene: NormalizedScene
    encoder_side: int

    def masks(self, clicks: Sequence[Click]) -> list[np.ndarray]:
        """See `Prepared`.

        A click stays where the user put it in its own view. One on a pixel without geometry is in no other view.
        """
        prompts, frames, geometry = prompts_of(clicks), self.scene.frames, self.scene.geometry
        views, labels = prompts.point_views[0], prompts.point_labels[0]
        under = views, *(pixels[0] for pixels in click_pixels(prompts, frames))
        lifted = geometry.valid[under]
        pixels, counts = self.find(np.where(lifted[:, None], geometry.points[under], np.float32(0)))
        height, width = geometry.valid.shape[1:]
        positions, counts = pixels / (width, height), counts & lifted
        sizes = np.array([frames[view].size[::-1] for view in views])
        own = views, np.arange(len(views))
        positions[own], counts[own] = (prompts.points[0] + 0.5) / sizes, True
        # SAM2 adds half a pixel of its square itself.
        logits = self._logits((positions * self.encoder_side - 0.5).astype(np.float32), counts, labels)
        return masks_of(logits, [frame.size for frame in frames], clicks)

    def close(self) -> None:
        """Nothing is kept elsewhere."""

    def _logits(self, positions: np.ndarray, counts: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Of N views; those in which no positive click counts stay empty.

        Args:
            positions: of Q clicks in pixels of the encoder's square, float32 [N, Q, 2].
            counts: whether they are there, bool [N, Q].
            labels: int32 [Q].

        Returns:
            float32 [N, 4E, 4E].
        """
        side = self.encoder_side // 4
        logits = np.full((len(counts), side, side), -MASK_LOGIT, np.float32)
        numbers = counts.sum(axis=1) * (counts & (labels == POSITIVE)).any(axis=1)
        # SAM2 takes padding for points that are nowhere: views with as many clicks go together, without any.
        for number in np.unique(numbers[numbers > 0]):
            (alike,) = np.nonzero(numbers == number)
            for views in np.split(alike, range(AT_ONCE, len(alike), AT_ONCE)):
                counting = counts[views]
                prompts = {
                    "points": positions[views][counting].reshape(len(views), number, 2),
                    "labels": np.broadcast_to(labels, counting.shape)[counting].reshape(len(views), number),
                    "mask_prompts": np.zeros((len(views), 1, side, side), np.float32),
                    "has_mask": np.zeros(len(views), bool),
                }
                features = {name: rows[views].astype(np.float32) for name, rows in self.features.items()}
                logits[views] = self.decoder.run(features | prompts)["mask_logits"]
        return logits


def by_cameras(
    poses: np.ndarray, intrinsics: np.ndarray, size: tuple[int, int], points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Projects points into every view; those in front of its camera and inside its picture are there.

    Args:
        poses: camera to world, [N, 4, 4].
        intrinsics: in pixels of the pointmaps, [N, 3, 3].
        size: (height, width) of the pointmaps.
        points: see `Find`.
    """
    rays = projected(poses, intrinsics, points)
    in_front = rays[..., 2] > 0
    pixels = rays[..., :2] / np.where(in_front, rays[..., 2], 1)[..., None]
    return pixels, in_front & (pixels >= 0).all(axis=2) & (pixels < size[::-1]).all(axis=2)


def by_cameras_held(
    poses: np.ndarray, intrinsics: np.ndarray, size: tuple[int, int], points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Projects points into every view; all are there: those outside are held half a picture beyond its edge.

    That is how `mvsam.evaluation.ablations` trains decoders with places in the picture. Arguments as for `by_cameras`.
    """
    rays, extent = projected(poses, intrinsics, points), np.array(size[::-1])
    pixels = rays[..., :2] / np.maximum(rays[..., 2:], NEAREST)
    return np.clip(pixels, -(BEYOND - 1) / 2 * extent, (BEYOND + 1) / 2 * extent), np.ones(pixels.shape[:2], bool)


def by_nearest_point(
    pixel_points: np.ndarray, statistics: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the pixel of every view whose point is nearest; where none is within the tolerance, nothing is there.

    Args:
        pixel_points: z-scored, as `pixels_of` gives them, [N, H, W, 3].
        statistics: of the scene.
        points: see `Find`.
    """
    prompts = ((points - statistics[:3]) / statistics[3:6])[None]
    pixels, distances = nearest(pixel_points, prompts)
    return pixels[0] + 0.5, distances[0] <= TOLERANCE
