"""What a ray meets first does not depend on how the search is narrowed, nor on where the ray points."""

import numpy as np
import pytest
import torch

from mvsam.synthetic.arrays import Setting
from mvsam.synthetic.solids import Kind, meet
from mvsam.synthetic.splits import Split
from mvsam.synthetic.tracing import Bundle, blocked, first_hits, surroundings_hit
from mvsam.synthetic.vectors import into
from mvsam.synthetic.world import World, batch, build

CPU = torch.device("cpu")
AXES = torch.tensor([[1.0, -1, 0, 0, 0, 0], [0, 0, 1, -1, 0, 0], [0, 0, 0, 0, 1, -1]])


def world_in(setting: Setting) -> World:
    worlds = (build(np.random.default_rng(seed), Split.TRAIN) for seed in range(100))
    return next(world for world in worlds if int(world.surroundings.setting) == setting)


def rays_from(apex: list[float], count: int) -> tuple[torch.Tensor, torch.Tensor]:
    direction = torch.from_numpy(np.random.default_rng(0).normal(size=(3, count))).float()
    direction = torch.cat([AXES, direction / direction.norm(dim=0)], dim=1)
    return torch.tensor(apex)[:, None].expand_as(direction), direction


@pytest.mark.parametrize("setting", list(Setting))
def test_nearest_solid_is_that_of_an_exhaustive_search(setting: Setting) -> None:
    solids = batch([world_in(setting)], CPU).solids
    origin, direction = rays_from([0.3, -0.2, 1.1], 4000)
    bundle = Bundle(solids, origin[:, :1].T, torch.zeros(1), origin, direction)
    hits = first_hits(bundle)
    distances = []
    for index in range(solids.kind.shape[1]):
        turn = solids.turn[0, index].reshape(9, 1).expand(9, direction.shape[1])
        o, d = into(turn, origin - solids.centre[0, index][:, None]), into(turn, direction)
        found = meet(Kind(int(solids.kind[0, index])), solids.size[0, index][:, None].expand(-1, d.shape[1]), o, d)
        distances.append(torch.where(found > 0, found, torch.inf))
    nearest, solid = torch.stack(distances).min(0)
    met = nearest.isfinite()
    assert met.float().mean() > 0.05
    assert (hits.distance.isfinite() == met).float().mean() > 0.999, "rays that graze may differ"
    both = met & hits.distance.isfinite()
    assert torch.quantile((hits.distance - nearest)[both].abs(), 0.99) < 1e-4
    assert (hits.solid == solid)[both].float().mean() > 0.999
    shadowed = blocked(bundle, torch.full_like(nearest, 1.0))
    assert (shadowed == (nearest < 1)).float().mean() > 0.999


@pytest.mark.parametrize("setting", list(Setting))
def test_every_ray_ends_on_the_surroundings(setting: Setting) -> None:
    around = batch([world_in(setting)], CPU).surroundings
    origin, direction = rays_from([0.0, 0.0, 1.0], 2000)
    distance, normal, _ = surroundings_hit(around, origin[:, None], direction[:, None])
    assert distance.isfinite().all() and (distance > 0).all()
    assert ((normal * direction[:, None]).sum(0) < 0).all(), "walls face inwards"
    end = origin + direction * distance[0]
    extent = around.extent[0]
    if setting is Setting.ROOM:
        outside = torch.stack([end[0].abs() - extent[0], end[1].abs() - extent[1], -end[2], end[2] - extent[2]])
        assert outside.max(0).values.abs().max() < 1e-4
    else:
        on_ground, on_dome = end[2].abs() < 1e-4, (end.norm(dim=0) - extent[0]).abs() < 1e-3
        assert (on_ground | on_dome).all() and (end[2] > -1e-4).all()
