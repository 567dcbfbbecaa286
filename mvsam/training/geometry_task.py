"""Training of a small π³ from scratch on synthetic scenes, since no checkpoint of the demo preset's size exists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from mvsam.evaluation.alignment import aligned_error
from mvsam.networks.pi3 import Pi3
from mvsam.synthetic.scene import Scene
from mvsam.training.geometry_losses import GeometryLoss, pose_errors
from mvsam.training.scene_source import HELD_OUT_STEP


class GeometryBatch(NamedTuple):
    """B scenes of V views, at a mean depth of one."""

    images: Tensor  # float32 [B, V, 3, H, W] in [0, 1]
    local_points: Tensor  # float32 [B, V, H, W, 3]
    poses: Tensor  # float32 [B, V, 4, 4]
    valid: Tensor  # bool [B, V, H, W]


@dataclass(frozen=True)
class GeometrySource:
    """Views drawn from scenes that are all at hand.

    Attributes:
        scenes, held_out_scenes: trained on, and never trained on.
        side: pixels of a square view, a multiple of the patch.
        views: of each example; the same number within a batch, drawn anew for each step between two and this.
        seed: of all that is drawn.
    """

    scenes: Sequence[Scene]
    held_out_scenes: Sequence[Scene]
    side: int
    views: int
    seed: int = 0

    def batch(self, step: int, examples: Sequence[int]) -> GeometryBatch:
        """The examples of these numbers of a step."""
        count = int(np.random.default_rng((self.seed, step)).integers(2, self.views + 1))
        drawn = []
        for example in examples:
            rng = np.random.default_rng((self.seed, step, example))
            drawn.append(self._views(self.scenes[int(rng.integers(len(self.scenes)))], count, rng))
        return _collated(drawn)

    def held_out(self) -> GeometryBatch:
        """All held-out scenes, all with the same number of views."""
        return _collated(
            [
                self._views(scene, self.views, np.random.default_rng((self.seed, HELD_OUT_STEP, index)))
                for index, scene in enumerate(self.held_out_scenes)
            ]
        )

    def _views(self, scene: Scene, count: int, rng: np.random.Generator) -> list[np.ndarray]:
        chosen = rng.permutation(len(scene.images))[:count]
        size = (self.side, self.side)
        images = np.stack([cv2.resize(scene.images[v], size, interpolation=cv2.INTER_AREA) for v in chosen])
        poses = scene.camera_poses[chosen].astype(np.float32)
        points = np.stack([cv2.resize(scene.points[v], size, interpolation=cv2.INTER_NEAREST) for v in chosen])
        valid = np.stack(
            [cv2.resize(scene.valid[v].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) for v in chosen]
        )
        local = np.einsum("nhwi,nij->nhwj", points - poses[:, None, None, :3, 3], poses[:, :3, :3])
        depth = float(local[..., 2][valid > 0].mean())
        poses[:, :3, 3] /= depth
        return [images.transpose(0, 3, 1, 2).astype(np.float32) / 255, local / depth, poses, valid > 0]


def _collated(drawn: list[list[np.ndarray]]) -> GeometryBatch:
    return GeometryBatch(*(torch.from_numpy(np.ascontiguousarray(np.stack(part))) for part in zip(*drawn, strict=True)))


class GeometryTask:
    """The task of the training loop."""

    def __init__(self, model: Pi3, source: GeometrySource, geometry_loss: GeometryLoss) -> None:
        self.model, self.source, self.geometry_loss = model, source, geometry_loss

    def batch(self, step: int, examples: Sequence[int]) -> GeometryBatch:
        return self.source.batch(step, examples)

    def loss(self, model: nn.Module, batch: GeometryBatch) -> tuple[Tensor, dict[str, Tensor]]:
        return self.geometry_loss(model(batch.images), batch.local_points, batch.poses, batch.valid)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Median pointmap error after alignment, and the median angle between relative rotations."""
        batch = self.source.held_out()
        device = next(model.parameters()).device
        output = model(batch.images.to(device))
        exact = world_points(batch.local_points, batch.poses)
        errors = [aligned_error(p.cpu().numpy(), x.numpy()) for p, x in zip(output.points, exact, strict=True)]
        angles, _ = pose_errors(output.camera_poses.cpu(), batch.poses, torch.ones(len(batch.poses)))
        return {"pointmap error": float(np.median(errors)), "rotation error": float(angles.median().rad2deg())}

    def pictures(self, model: nn.Module) -> dict[str, np.ndarray]:
        """Photograph, exact depth and found depth of the first views of a few scenes, side by side."""
        batch = self.source.held_out()
        found = model(batch.images[:4].to(next(model.parameters()).device)).local_points[:, 0, ..., 2].cpu().numpy()
        rows = []
        for image, exact, depth in zip(batch.images[:4, 0], batch.local_points[:4, 0, ..., 2], found, strict=True):
            shades = [x / np.quantile(x, 0.98) for x in (exact.numpy(), depth)]
            row = [image.numpy().transpose(1, 2, 0), *(np.repeat(x[..., None], 3, axis=-1) for x in shades)]
            rows.append(np.concatenate(row, axis=1).clip(0, 1))
        return {"depth": (255 * np.concatenate(rows)).astype(np.uint8)}


def world_points(local_points: Tensor, poses: Tensor) -> Tensor:
    """Points of all views in one frame."""
    return torch.einsum("bvij,bvhwj->bvhwi", poses[..., :3, :3], local_points) + poses[..., None, None, :3, 3]
