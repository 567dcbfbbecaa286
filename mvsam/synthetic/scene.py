"""A small room with coloured solids, seen by an arc of cameras: exact points and object masks of every pixel."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mvsam.synthetic.shapes import MISS, Box, Hit, Solid, Sphere, finite

ROOM = Box((0.0, 0.0, 1.5), (3.0, 3.0, 1.5), inside=True)
LIGHT = (1.2, -1.5, 2.8)
AMBIENT = 0.35
BACKGROUND = -1
PALETTE = np.array(
    [[200, 62, 58], [52, 120, 190], [232, 176, 56], [72, 152, 96], [150, 92, 170], [226, 122, 60], [90, 170, 180]]
)


@dataclass(frozen=True)
class Scene:
    """N photographs of one scene and what is exactly true of every pixel. World axes: z up, metres."""

    images: np.ndarray  # uint8 [N, H, W, 3]
    points: np.ndarray  # float32 [N, H, W, 3]
    objects: np.ndarray  # int32 [N, H, W]: index of the object, BACKGROUND elsewhere
    camera_poses: np.ndarray  # float32 [N, 4, 4], camera to world, OpenCV axes
    intrinsics: np.ndarray  # float32 [3, 3]

    def mask(self, index: int) -> np.ndarray:
        """bool [N, H, W]: where an object is seen."""
        return self.objects == index


def make_scene(seed: int, *, views: int = 4, height: int = 360, width: int = 480, objects: int = 5) -> Scene:
    """Places solids on the floor of a room, without overlap, and photographs them; deterministic by seed."""
    rng = np.random.default_rng(seed)
    solids, textures = _place(rng, objects)
    focal = 0.9 * width
    intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]], np.float32)
    poses = _arc(rng, views)
    rendered = [_photograph(solids, textures, pose, intrinsics, height, width) for pose in poses]
    images, points, labels = (np.stack(parts) for parts in zip(*rendered, strict=True))
    return Scene(images, points, labels, poses, intrinsics)


@dataclass(frozen=True)
class _Texture:
    """Two colours in a pattern along one local axis."""

    light: tuple[float, ...]
    dark: tuple[float, ...]
    period: float
    axes: tuple[int, ...]

    def paint(self, local: Float[Tensor, "*rays 3"]) -> Float[Tensor, "*rays 3"]:
        cells = sum(torch.floor(local[..., axis] / self.period) for axis in self.axes)
        even = torch.as_tensor(cells).remainder(2)[..., None] < 0.5
        return torch.where(even, local.new_tensor(self.light), local.new_tensor(self.dark))


def _place(rng: np.random.Generator, count: int) -> tuple[list[Solid], list[_Texture]]:
    solids: list[Solid] = []
    textures: list[_Texture] = []
    taken: list[tuple[float, float, float]] = []
    colours = rng.permutation(len(PALETTE))
    while len(solids) < count:
        size = float(rng.uniform(0.18, 0.38))
        x, y = (float(v) for v in rng.uniform(-1.1, 1.1, 2))
        if any((x - a) ** 2 + (y - b) ** 2 < (1.4 * (size + r)) ** 2 for a, b, r in taken):
            continue
        taken.append((x, y, size))
        if rng.random() < 0.5:
            solids.append(Sphere((x, y, size), size))
        else:
            tall = size * float(rng.uniform(0.7, 1.6))
            solids.append(Box((x, y, tall), (0.8 * size, 0.6 * size, tall), float(rng.uniform(0, np.pi))))
        colour = PALETTE[colours[len(textures) % len(PALETTE)]] / 255
        axes = tuple(int(a) for a in np.flatnonzero(rng.random(3) < 0.5)) or (2,)
        textures.append(_Texture(tuple(colour), tuple(0.72 * colour), float(rng.uniform(0.06, 0.16)), axes))
    return solids, textures


def _arc(rng: np.random.Generator, views: int) -> np.ndarray:
    """Camera poses around the room's middle, looking at it."""
    start = rng.uniform(0, 2 * np.pi)
    poses = []
    for angle in start + np.linspace(-0.6, 0.6, views):
        position = np.array([2.5 * np.cos(angle), 2.5 * np.sin(angle), rng.uniform(1.1, 1.6)])
        forward = np.array([0, 0, 0.3]) - position
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        pose = np.eye(4, dtype=np.float32)
        pose[:3] = np.stack([right, np.cross(forward, right), forward, position], axis=1)
        poses.append(pose)
    return np.stack(poses)


def _photograph(
    solids: list[Solid], textures: list[_Texture], pose: np.ndarray, intrinsics: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    turn, position = torch.from_numpy(pose[:3, :3]), torch.from_numpy(pose[:3, 3])
    v, u = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    focal, cx, cy = float(intrinsics[0, 0]), float(intrinsics[0, 2]), float(intrinsics[1, 2])
    rays = torch.stack([(u - cx) / focal, (v - cy) / focal, torch.ones_like(u)], dim=-1) @ turn.T
    rays = rays / rays.norm(dim=-1, keepdim=True)
    origin = position.expand_as(rays)

    room = _Texture((0.86, 0.83, 0.78), (0.78, 0.75, 0.7), 0.5, (0, 1))
    distance, normal, colour, label = _nearest(origin, rays, solids, [*textures, room])
    points = origin + rays * distance[..., None]
    shade = _shade(points + 1e-3 * normal, normal, solids)
    image = (colour * shade[..., None]).clamp(0, 1) ** (1 / 2.2)
    return (image * 255).round().to(torch.uint8).numpy(), points.numpy(), label.numpy()


def _nearest(
    origin: Float[Tensor, "*rays 3"], rays: Float[Tensor, "*rays 3"], solids: list[Solid], textures: list[_Texture]
) -> tuple[Float[Tensor, "*rays"], Float[Tensor, "*rays 3"], Float[Tensor, "*rays 3"], Int[Tensor, "*rays"]]:
    """Distance, normal, colour and object of the first thing that each ray meets; the room comes last."""
    best = torch.full(rays.shape[:-1], MISS)
    normal, colour = torch.zeros_like(rays), torch.zeros_like(rays)
    label = torch.full(rays.shape[:-1], BACKGROUND, dtype=torch.int32)
    for index, (solid, texture) in enumerate(zip([*solids, ROOM], textures, strict=True)):
        hit: Hit = solid.hit(origin, rays)
        nearer = hit.distance < best
        best = torch.where(nearer, hit.distance, best)
        normal = torch.where(nearer[..., None], hit.normal, normal)
        colour = torch.where(nearer[..., None], texture.paint(hit.local), colour)
        label = torch.where(nearer, index if index < len(solids) else BACKGROUND, label)
    return finite(best), normal, colour, label.to(torch.int32)


def _shade(points: Float[Tensor, "*rays 3"], normal: Float[Tensor, "*rays 3"], solids: list[Solid]) -> Tensor:
    """Ambient light and a lamp with shadows."""
    to_light = points.new_tensor(LIGHT) - points
    reach = to_light.norm(dim=-1)
    direction = to_light / reach[..., None]
    lit = torch.stack([solid.hit(points, direction).distance > reach for solid in solids]).all(0)
    return AMBIENT + (1 - AMBIENT) * lit * (normal * direction).sum(-1).clamp(min=0)
