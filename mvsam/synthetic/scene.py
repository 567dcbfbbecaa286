"""Scenes: what is asked for, drawn, photographed and handed over as arrays."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from mvsam.synthetic.arrays import BACKGROUND
from mvsam.synthetic.cameras import Baseline, photograph_from
from mvsam.synthetic.render import Views, render
from mvsam.synthetic.sensor import Optics, draw_optics
from mvsam.synthetic.splits import Split
from mvsam.synthetic.world import batch, build

__all__ = ["BACKGROUND", "Baseline", "Scene", "SceneBatch", "Split", "make_scene", "render_batch", "sample_scene"]


@dataclass(frozen=True)
class Scene:
    """N photographs of one scene and what is exactly true of every pixel. World axes: z up, metres."""

    images: np.ndarray  # uint8 [N, H, W, 3]
    points: np.ndarray  # float32 [N, H, W, 3]
    valid: np.ndarray  # bool [N, H, W]: all, since walls and sky are at finite distances
    depth: np.ndarray  # float32 [N, H, W]: along the optical axis
    objects: np.ndarray  # int32 [N, H, W]: index of the object, BACKGROUND elsewhere
    camera_poses: np.ndarray  # float32 [N, 4, 4], camera to world, OpenCV axes
    intrinsics: np.ndarray  # float32 [N, 3, 3]; the centre of the first pixel is at (0.5, 0.5)
    families: tuple[str, ...]  # of each object

    def mask(self, index: int) -> np.ndarray:
        """bool [N, H, W]: where an object is seen."""
        return self.objects == index


@dataclass(frozen=True)
class SceneBatch:
    """Several scenes on one device; fields as in Scene, with an axis for the scenes before the views'."""

    images: UInt8[Tensor, "scenes views height width 3"]
    points: Float[Tensor, "scenes views height width 3"]
    valid: Bool[Tensor, "scenes views height width"]
    depth: Float[Tensor, "scenes views height width"]
    objects: Int[Tensor, "scenes views height width"]
    camera_poses: Float[Tensor, "scenes views 4 4"]
    intrinsics: Float[Tensor, "scenes views 3 3"]
    families: list[tuple[str, ...]]

    def scene(self, index: int) -> Scene:
        """One scene as arrays."""
        arrays = {
            field.name: getattr(self, field.name)[index].cpu().numpy()
            for field in fields(self)
            if field.name != "families"
        }
        return Scene(**arrays, families=self.families[index])


def render_batch(
    seeds: list[int],
    split: Split,
    *,
    views: int,
    height: int,
    width: int,
    baseline: Baseline = Baseline.ANY,
    device: torch.device | str = "cpu",
) -> SceneBatch:
    """Draws and renders a scene for each seed; the same seed gives the same scene in any batch."""
    device = torch.device(device)
    worlds, poses, intrinsics, optics = [], [], [], []
    for seed in seeds:
        # Separate streams: more views or other cameras leave the world as it is.
        streams = [np.random.default_rng([seed, list(Split).index(split), stream]) for stream in range(3)]
        worlds.append(build(streams[0], split))
        pose, lens = photograph_from(streams[1], worlds[-1], views, height, width, baseline)
        poses.append(torch.from_numpy(pose))
        intrinsics.append(torch.from_numpy(lens))
        optics.append(draw_optics(streams[2], views))
    cameras = Views(
        torch.arange(len(seeds), device=device).repeat_interleave(views),
        torch.cat(poses).to(device),
        torch.cat(intrinsics).to(device),
        Optics(*(torch.cat(field).to(device) for field in zip(*optics, strict=True))),
    )
    rendered = render(batch(worlds, device), cameras, height, width)
    images, points, depth, objects = (field.unflatten(0, (len(seeds), views)) for field in rendered)
    return SceneBatch(
        images,
        points,
        torch.ones_like(objects, dtype=torch.bool),
        depth,
        objects,
        cameras.poses.unflatten(0, (len(seeds), views)),
        cameras.intrinsics.unflatten(0, (len(seeds), views)),
        [tuple(placed.family for placed in world.placed) for world in worlds],
    )


def sample_scene(
    seed: int, split: Split, *, views: int, height: int, width: int, baseline: Baseline = Baseline.ANY
) -> Scene:
    """One scene, rendered on the CPU."""
    return render_batch([seed], split, views=views, height=height, width=width, baseline=baseline).scene(0)


def make_scene(seed: int, *, views: int = 4, height: int = 360, width: int = 480) -> Scene:
    """A held-out scene for demonstrations, seen from an arc of moderate width."""
    return sample_scene(seed, Split.TEST, views=views, height=height, width=width, baseline=Baseline.MEDIUM)
