"""What π³ is trained by (arXiv 2507.13347, section 3): local points up to a scale, relative poses, confidence.

None of it knows a global frame, so no view is special. A small network that starts from nothing learns poses far sooner
where it is told one: a frame that depends on the set of views alone (`gauge`) keeps every view alike.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from mvsam.training.geometry_model import GaugedOutput

Points = Float[Tensor, "scenes views height width 3"]
Poses = Float[Tensor, "scenes views 4 4"]
HUBER = 0.1  # of relative positions, in mean depths


@dataclass(frozen=True)
class GeometryLoss:
    """Weights of the terms, and when a point counts as right.

    Attributes:
        points, rotation, translation, confidence: weights.
        gauge: weight of each view's own pose in the frame that the exact poses are given in; π³ has none of it.
        patches: likewise of the patches' middles in that frame.
        right: relative error of a point's position below which its confidence should be high.
    """

    points: float = 1.0
    rotation: float = 0.1
    translation: float = 0.1
    confidence: float = 0.05
    gauge: float = 0.0
    patches: float = 0.0
    right: float = 0.05

    def __call__(
        self, gauged: GaugedOutput, local_points: Points, poses: Poses, valid: Bool[Tensor, "scenes views height width"]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """The loss of a batch and its terms.

        Args:
            gauged: of the network.
            local_points: exact, in each camera's frame, scaled so that the mean depth of a scene is about one.
            poses: exact, camera to world, at the same scale.
            valid: pixels that count.
        """
        output = gauged.pi3
        scale = best_scale(output.local_points, local_points, valid)
        error = relative_error(output.local_points, local_points, scale)
        rotation, translation = pose_errors(output.camera_poses, poses, scale)
        target = (error.detach() < self.right).float()
        unsure = F.binary_cross_entropy_with_logits(output.confidence_logits, target, reduction="none")
        terms = {
            "points": mean_where(error, valid),
            "rotation": rotation.mean() if rotation.numel() else error.new_zeros(()),
            "translation": translation.mean() if translation.numel() else error.new_zeros(()),
            "confidence": mean_where(unsure, valid),
            "gauge": gauge_error(output.camera_poses, poses, scale).mean(),
            "patches": mean_where(*patch_errors(gauged.patch_points, local_points, poses, valid, scale)),
        }
        total = torch.stack([getattr(self, name) * term for name, term in terms.items()]).sum()
        return total, {name: term.detach() for name, term in terms.items()}


@torch.no_grad()
def best_scale(
    found: Points, exact: Points, valid: Bool[Tensor, "scenes views height width"], samples: int = 4096
) -> Float[Tensor, " scenes"]:
    """The scale s of each scene that minimises the sum of |s p - x| / z over all coordinates: a weighted median.

    Taken over evenly spread pixels; a robust answer does not need them all.
    """
    scales = []
    for p, x, keep in zip(found.flatten(1, 3), exact.flatten(1, 3), valid.flatten(1), strict=True):
        index = torch.nonzero(keep)[:, 0]
        index = index[:: max(1, len(index) // samples)]
        p, x = p[index], x[index]
        weight = (p.abs() / x[:, 2:].clamp(min=1e-6)).flatten()
        ratio = (x / torch.where(p.abs() < 1e-9, 1e-9, p)).flatten()
        order = ratio.argsort()
        cumulative = weight[order].cumsum(0)
        scales.append(ratio[order][torch.searchsorted(cumulative, cumulative[-1:] / 2)].squeeze(0))
    return torch.stack(scales).clamp(min=1e-3)


def relative_error(
    found: Points, exact: Points, scale: Float[Tensor, " scenes"]
) -> Float[Tensor, "scenes views height width"]:
    """Mean absolute error of a point's coordinates over its depth."""
    return (scale[:, None, None, None, None] * found - exact).abs().mean(-1) / exact[..., 2].clamp(min=1e-6)


def pose_errors(
    found: Poses, exact: Poses, scale: Float[Tensor, " scenes"]
) -> tuple[Float[Tensor, "scenes pairs"], Float[Tensor, "scenes pairs"]]:
    """Of all ordered pairs of views: the angle between relative rotations, and the Huber distance of positions."""
    views = found.shape[1]
    i, j = torch.where(~torch.eye(views, dtype=torch.bool, device=found.device))
    (turn, shift), (turn_exact, shift_exact) = (_relative(poses, i, j) for poses in (found, exact))
    return _angle(turn, turn_exact), _distance(scale[:, None, None] * shift, shift_exact)


def gauge_error(found: Poses, exact: Poses, scale: Float[Tensor, " scenes"]) -> Float[Tensor, "scenes views"]:
    """Of each view, in the exact poses' frame: the angle to its rotation and the distance to its position."""
    angle = _angle(found[..., :3, :3], exact[..., :3, :3])
    return angle + _distance(scale[:, None, None] * found[..., :3, 3], exact[..., :3, 3])


def patch_errors(
    found: Float[Tensor, "scenes views h w 3"],
    local_points: Points,
    poses: Poses,
    valid: Bool[Tensor, "scenes views height width"],
    scale: Float[Tensor, " scenes"],
) -> tuple[Float[Tensor, "scenes views h w"], Bool[Tensor, "scenes views h w"]]:
    """Huber distances of the patches' middles from the exact ones, and which of them count."""
    patch = local_points.shape[2] // found.shape[2]
    middles = slice(patch // 2, None, patch)
    exact = world_points(local_points[:, :, middles, middles], poses)
    return _distance(scale[:, None, None, None, None] * found, exact), valid[:, :, middles, middles]


def world_points(local_points: Points, poses: Poses) -> Points:
    """Points of all views in one frame."""
    return torch.einsum("bvij,bvhwj->bvhwi", poses[..., :3, :3], local_points) + poses[..., None, None, :3, 3]


def gauge(poses: Float[np.ndarray, "views 4 4"], points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "views 4 4"]:
    """Poses in a frame that all views of a scene agree upon: about the points' mean, z up, looking along x on average.

    Args:
        poses: camera to world, z up.
        points: of the world.
    """
    forward = poses[:, :2, 2].mean(0)
    c, s = forward / max(float(np.linalg.norm(forward)), 1e-6)
    frame = np.eye(4, dtype=poses.dtype)
    frame[:2, :2] = [[c, s], [-s, c]]
    frame[:3, 3] = -frame[:3, :3] @ points.mean(0)
    return frame @ poses


def _angle(found: Float[Tensor, "*batch 3 3"], exact: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Between rotations; from the chord, whose gradient stays finite where an arc cosine's does not."""
    chord = (found - exact).square().sum((-2, -1)).add(1e-8).sqrt() / (2 * 2**0.5)
    return 2 * torch.asin(chord.clamp(max=1 - 1e-6))


def _distance(found: Float[Tensor, "*batch 3"], exact: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
    return F.huber_loss(found, exact, reduction="none", delta=HUBER).sum(-1) / HUBER


def _relative(poses: Poses, i: Tensor, j: Tensor) -> tuple[Tensor, Tensor]:
    """Rotation and position of camera j in camera i's frame."""
    turn, shift = poses[..., :3, :3], poses[..., :3, 3]
    back = turn[:, i].transpose(-1, -2)
    return back @ turn[:, j], (back @ (shift[:, j] - shift[:, i])[..., None])[..., 0]


def mean_where(x: Tensor, keep: Tensor) -> Tensor:
    """Mean over the kept entries; zero where none is kept."""
    return (x * keep).sum() / keep.sum().clamp(min=1)
