"""Training of a small π³ from scratch on synthetic scenes, since no checkpoint of the demo preset's size exists."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from mvsam.evaluation.alignment import aligned_error
from mvsam.networks.pi3 import Pi3Output
from mvsam.synthetic.scene import Scene
from mvsam.training.geometry_losses import GeometryLoss, gauge, pose_errors, world_points
from mvsam.training.geometry_model import GaugedOutput, GaugedPi3
from mvsam.training.scene_source import HELD_OUT_STEP

MIRRORED = 0.5  # share of the examples
HAND = np.array([1, -1, 1], np.float32)  # of the world in the mirror; it leaves the gauge's x and z alone


class GeometryBatch(NamedTuple):
    """B scenes of V views, at a mean depth of one."""

    images: Tensor  # float32 [B, V, 3, H, W] in [0, 1]
    local_points: Tensor  # float32 [B, V, H, W, 3]
    poses: Tensor  # float32 [B, V, 4, 4]
    valid: Tensor  # bool [B, V, H, W]


class DepthViews(NamedTuple):
    """What a scene is remembered by: a third of its bytes."""

    images: np.ndarray  # uint8 [N, H, W, 3]
    depth: np.ndarray  # float32 [N, H, W]
    camera_poses: np.ndarray  # float32 [N, 4, 4]
    intrinsics: np.ndarray  # float32 [N, 3, 3]


class GeometrySource:
    """Views drawn from scenes that are all at hand.

    Args:
        scenes, held_out_scenes: trained on, and never trained on.
        side: pixels of a square view, a multiple of the patch.
        views: of each example; the same number within a batch, drawn anew for each step between two and this.
        seed: of all that is drawn.
    """

    def __init__(
        self, scenes: Iterable[Scene], held_out_scenes: Iterable[Scene], side: int, views: int, seed: int = 0
    ) -> None:
        self.scenes = [DepthViews(s.images, s.depth, s.camera_poses, s.intrinsics) for s in scenes]
        self.held_out_scenes = [DepthViews(s.images, s.depth, s.camera_poses, s.intrinsics) for s in held_out_scenes]
        self.side, self.views, self.seed = side, views, seed

    def batch(self, step: int, examples: Sequence[int]) -> GeometryBatch:
        """The examples of these numbers of a step."""
        count = int(np.random.default_rng((self.seed, step)).integers(2, self.views + 1))
        drawn = []
        for example in examples:
            rng = np.random.default_rng((self.seed, step, example))
            views = self._views(self.scenes[int(rng.integers(len(self.scenes)))], count, rng)
            drawn.append(mirrored(views) if rng.random() < MIRRORED else views)
        return _collated(drawn)

    def held_out(self) -> GeometryBatch:
        """All held-out scenes, all with the same number of views."""
        return _collated(
            [
                self._views(scene, self.views, np.random.default_rng((self.seed, HELD_OUT_STEP, index)))
                for index, scene in enumerate(self.held_out_scenes)
            ]
        )

    def _views(self, scene: DepthViews, count: int, rng: np.random.Generator) -> list[np.ndarray]:
        chosen = rng.permutation(len(scene.images))[:count]
        size = (self.side, self.side)
        images = np.stack([cv2.resize(scene.images[v], size, interpolation=cv2.INTER_AREA) for v in chosen])
        local = np.stack(
            [
                cv2.resize(camera_points(scene.depth[v], scene.intrinsics[v]), size, interpolation=cv2.INTER_NEAREST)
                for v in chosen
            ]
        )
        valid = local[..., 2] > 0
        poses = scene.camera_poses[chosen].astype(np.float32)
        depth = float(local[..., 2][valid].mean())
        world = local[:, ::4, ::4] @ poses[:, None, :3, :3].transpose(0, 1, 3, 2) + poses[:, None, None, :3, 3]
        poses = gauge(poses, world[valid[:, ::4, ::4]])
        poses[:, :3, 3] /= depth
        return [images.transpose(0, 3, 1, 2).astype(np.float32) / 255, local / depth, poses, valid]


def camera_points(depth: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Points float32 [H, W, 3] in the camera's frame of a depth map [H, W]."""
    height, width = depth.shape
    x = (np.arange(width, dtype=np.float32) + 0.5 - intrinsics[0, 2]) / intrinsics[0, 0]
    y = (np.arange(height, dtype=np.float32) + 0.5 - intrinsics[1, 2]) / intrinsics[1, 1]
    return np.stack([x * depth, y[:, None] * depth, depth], axis=-1).astype(np.float32)


def mirrored(views: list[np.ndarray]) -> list[np.ndarray]:
    """The same scene in a mirror: photographs from right to left, points and poses likewise."""
    images, local, poses, valid = views
    across = np.array([-1, 1, 1], np.float32)
    turned = poses.copy()
    turned[:, :3, :3] = HAND[:, None] * poses[:, :3, :3] * across
    turned[:, :3, 3] = HAND * poses[:, :3, 3]
    return [images[..., ::-1], local[:, :, ::-1] * across, turned, valid[:, :, ::-1]]


def _collated(drawn: list[list[np.ndarray]]) -> GeometryBatch:
    return GeometryBatch(*(torch.from_numpy(np.ascontiguousarray(np.stack(part))) for part in zip(*drawn, strict=True)))


class GeometryTask:
    """The task of the training loop."""

    def __init__(self, model: GaugedPi3, source: GeometrySource, geometry_loss: GeometryLoss) -> None:
        self.model, self.source, self.geometry_loss = model, source, geometry_loss

    def batch(self, step: int, examples: Sequence[int]) -> GeometryBatch:
        return self.source.batch(step, examples)

    def loss(self, model: nn.Module, batch: GeometryBatch) -> tuple[Tensor, dict[str, Tensor]]:
        output: GaugedOutput = model(batch.images)
        with torch.autocast(batch.images.device.type, enabled=False):  # products of rotations need FP32
            output = GaugedOutput(Pi3Output(*(x.float() for x in output.pi3)), output.patch_points.float())
            return self.geometry_loss(output, batch.local_points, batch.poses, batch.valid)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Median pointmap error after alignment, and the median angle between relative rotations."""
        batch = self.source.held_out()
        device = next(model.parameters()).device
        output = model(batch.images.to(device)).pi3
        exact = world_points(batch.local_points, batch.poses)
        errors = [aligned_error(p.cpu().numpy(), x.numpy()) for p, x in zip(output.points, exact, strict=True)]
        angles, _ = pose_errors(output.camera_poses.cpu(), batch.poses, torch.ones(len(batch.poses)))
        return {"pointmap error": float(np.median(errors)), "rotation error": float(angles.median().rad2deg())}

    def pictures(self, model: nn.Module) -> dict[str, np.ndarray]:
        """Photograph, exact depth and found depth of the first views of a few scenes, side by side."""
        batch = self.source.held_out()
        output = model(batch.images[:4].to(next(model.parameters()).device)).pi3
        found = output.local_points[:, 0, ..., 2].cpu().numpy()
        rows = []
        for image, exact, depth in zip(batch.images[:4, 0], batch.local_points[:4, 0, ..., 2], found, strict=True):
            shades = [x / np.quantile(x, 0.98) for x in (exact.numpy(), depth)]
            row = [image.numpy().transpose(1, 2, 0), *(np.repeat(x[..., None], 3, axis=-1) for x in shades)]
            rows.append(np.concatenate(row, axis=1).clip(0, 1))
        return {"depth": (255 * np.concatenate(rows)).astype(np.uint8)}
