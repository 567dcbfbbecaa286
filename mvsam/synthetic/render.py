"""Light, points and objects of every pixel of a batch of views: rays, shadows, shading."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from mvsam.synthetic.arrays import BACKGROUND, LAMPS, Ground, Materials, Setting, Solids, Surroundings, Worlds
from mvsam.synthetic.noise import normals
from mvsam.synthetic.sensor import Optics, develop
from mvsam.synthetic.textures import pattern
from mvsam.synthetic.tracing import Bundle, Hits, Surfaces, blocked, first_hits, surfaces, surroundings_hit
from mvsam.synthetic.vectors import dot, length, unit

CPU_RAYS = 1 << 16  # a view of 224² at a time stays in the caches
GPU_RAYS = 1 << 22
LIFT = 2e-3  # metres: shadow rays end this far above the surface


class Views(NamedTuple):
    """Cameras, and the world that each is in."""

    world: Int[Tensor, "*views"]
    poses: Float[Tensor, "views 4 4"]
    intrinsics: Float[Tensor, "views 3 3"]
    optics: Optics

    def part(self, start: int, stop: int) -> "Views":
        """Some of the views."""
        optics = Optics(*(field[start:stop] for field in self.optics))
        return Views(self.world[start:stop], self.poses[start:stop], self.intrinsics[start:stop], optics)


class Rendered(NamedTuple):
    """Photographs and what is exactly true of every pixel."""

    images: UInt8[Tensor, "views height width 3"]
    points: Float[Tensor, "views height width 3"]
    depth: Float[Tensor, "views height width"]
    objects: Int[Tensor, "views height width"]


@contextmanager
def _one_thread(device: torch.device) -> Iterator[None]:
    """On a CPU the tensors are small enough that a second thread costs more than it gives: use processes instead."""
    before = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def render(worlds: Worlds, views: Views, height: int, width: int) -> Rendered:
    """Renders all views, as many at a time as suit the device."""
    device = views.poses.device
    step = max(1, (CPU_RAYS if device.type == "cpu" else GPU_RAYS) // (height * width))
    with _one_thread(device):
        parts = [_render(worlds, views.part(i, i + step), height, width) for i in range(0, len(views.poses), step)]
    return Rendered(*(torch.cat(field) for field in zip(*parts, strict=True)))


def _render(worlds: Worlds, views: Views, height: int, width: int) -> Rendered:
    solids, materials, around = worlds.at(views.world)
    count = len(views.poses)
    centre = views.poses[:, :3, 3]
    rays, along = _camera_rays(views, height, width)
    origin = centre.T[:, :, None].expand_as(rays).flatten(1)
    bundle = Bundle(solids, centre, torch.zeros_like(centre[:, 0]), origin, rays.flatten(1))
    hits = first_hits(bundle)
    far, facing, ground = (part.flatten(-2) for part in surroundings_hit(around, origin.view_as(rays), rays))
    distance = torch.minimum(hits.distance, far)
    hits = Hits(distance, torch.where(hits.distance < far, hits.solid, -1))
    p = origin + bundle.direction * distance
    behind = Surfaces(facing, p, facing, ground, torch.full_like(ground, BACKGROUND))
    surface = surfaces(bundle, hits, p, behind)
    pixel = distance * (1 / views.intrinsics[:, 0, 0]).repeat_interleave(height * width)
    light = _shade(solids, materials, around, views, bundle.direction, p, pixel, surface)
    images = develop(light.view(3, count, height, width).transpose(0, 1), views.optics)
    depth = distance.view(count, height, width) * along
    points = p.view(3, count, height, width).permute(1, 2, 3, 0).contiguous()
    return Rendered(images, points, depth, surface.object.view(count, height, width).to(torch.int32))


def _camera_rays(
    views: Views, height: int, width: int
) -> tuple[Float[Tensor, "3 views pixels"], Float[Tensor, "views height width"]]:
    """Unit directions through the pixels' centres, and how much of each is along the optical axis."""
    device = views.poses.device
    v = torch.arange(height, device=device)[:, None] + 0.5
    u = torch.arange(width, device=device) + 0.5
    k = views.intrinsics[:, :, :, None, None]
    x, y = torch.broadcast_tensors((u - k[:, 0, 2]) / k[:, 0, 0], (v - k[:, 1, 2]) / k[:, 1, 1])
    along = (x * x + y * y + 1).rsqrt()
    turn = views.poses[:, :3, :3, None, None]
    rays = torch.stack([(turn[:, i, 0] * x + turn[:, i, 1] * y + turn[:, i, 2]) * along for i in range(3)])
    return rays.flatten(2), along


def _shade(
    solids: Solids,
    materials: Materials,
    around: Surroundings,
    views: Views,
    gaze: Float[Tensor, "3 rays"],
    p: Float[Tensor, "3 rays"],
    pixel: Float[Tensor, "*rays"],
    surface: Surfaces,
) -> Float[Tensor, "3 rays"]:
    """Linear light from every surface towards the camera: ambient, lamps with soft shadows, highlights."""
    groups, most = materials.texture.shape
    pixels = p.shape[1] // groups
    group = torch.arange(groups, device=p.device).repeat_interleave(pixels)
    index = surface.material + group * most
    flat = Materials(*(field.flatten(0, 1) for field in materials))
    colours = flat.colours.flatten(1).T.index_select(1, index)
    weathering, gloss, sharpness = flat.finish.T.index_select(1, index)
    share, weather = pattern(
        flat.texture.index_select(0, index),
        surface.local + flat.phase.T.index_select(1, index),
        surface.local_normal,
        flat.period.index_select(0, index),
        pixel,
    )
    sky = (surface.object == BACKGROUND) & (surface.material == Ground.WALL)
    sky = sky & (around.setting == Setting.OPEN).index_select(0, group)
    radius = around.extent[:, 0].index_select(0, group)
    share = torch.where(sky, _horizon(p, radius, weather), share)
    albedo = torch.lerp(colours[:3], colours[3:], share)
    albedo = albedo * (1 + weathering * (weather - 0.5))

    below, above = around.ambient.permute(1, 2, 0).index_select(2, group)
    light = albedo * torch.lerp(below, above, 0.5 + 0.5 * surface.normal[2])
    grain = normals(views.optics.start + 1, 3 * pixels).view(groups, 3, pixels).transpose(0, 1).flatten(1)
    for index in range(LAMPS):
        if not bool(around.lamp_colour[:, index].any()):
            continue
        spot = around.lamp[:, index].T.index_select(1, group)
        size = around.lamp_radius[:, index]
        spot = spot + (0.5 * grain).clamp(-1, 1) * size.index_select(0, group)
        to_lamp = unit(spot - p)
        cosine = dot(surface.normal, to_lamp)
        facing = (cosine > 0) & ~sky
        ends = p + surface.normal * LIFT
        heading = ends - spot
        reach = length(heading)
        heading = torch.where(facing, heading / reach, 0)
        bundle = Bundle(solids, around.lamp[:, index], 1.8 * size, spot, heading)
        lit = facing & ~blocked(bundle, reach - 1e-3)
        colour = around.lamp_colour[:, index].T.index_select(1, group) * torch.where(lit, cosine, 0)
        shine = dot(surface.normal, unit(to_lamp - gaze)).clamp(min=0) ** sharpness
        light = light + colour * (albedo + gloss * shine)
    return torch.where(sky, albedo, light)


def _horizon(
    p: Float[Tensor, "3 rays"], radius: Float[Tensor, "*rays"], weather: Float[Tensor, "*rays"]
) -> Float[Tensor, "*rays"]:
    """Share of the horizon's colour in the sky."""
    height = (p[2] / radius).clamp(0, 1)
    clouds = (1.5 * weather - 0.5).clamp(0, 1) * 0.5
    return ((1 - height) ** 3 + clouds).clamp(0, 1)
