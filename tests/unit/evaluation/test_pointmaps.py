"""Pointmaps are judged as the service makes them, and blind to the frame."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mvsam.evaluation.pointmaps import figures, judge, local_points, mean_map, sampled
from mvsam.networks.pi3 import Pi3Output
from mvsam.networks.presets import PRESETS
from mvsam.synthetic.scene import Scene, Split, sample_scene

PRESET = PRESETS["demo"]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return sample_scene(200_000, Split.TEST, views=3, height=64, width=64)


class Oracle(nn.Module):
    """Exact pointmaps in another frame, with noise that its confidence ranks."""

    def __init__(self, scene: Scene, noise: float) -> None:
        super().__init__()
        self.scene, self.noise = scene, noise

    def forward(self, images: Tensor) -> Pi3Output:
        points = torch.from_numpy(sampled(self.scene.points, (images.shape[-2], images.shape[-1])))
        spread = torch.rand(points.shape[:3], generator=torch.Generator().manual_seed(0))
        wrong = points + self.noise * spread[..., None] * torch.randn(points.shape)
        turn = torch.linalg.matrix_exp(torch.tensor([[0.0, -0.4, 0.2], [0.4, 0.0, -0.7], [-0.2, 0.7, 0.0]]))
        poses = torch.from_numpy(self.scene.camera_poses.astype(np.float32))
        poses = torch.cat([turn @ poses[:, :3], poses[:, 3:]], dim=1)
        return Pi3Output((3 * wrong @ turn.T)[None], points[None], -spread[None], poses[None])


def test_exact_points_in_another_frame_are_right(scene: Scene) -> None:
    judged = judge(Oracle(scene, 0), PRESET, scene, np.ones((112, 112, 3), np.float32))
    assert judged.error < 1e-5 and judged.rotation < 0.1
    assert judged.exact_rotation > 0.5, "never turning is an error"
    assert 0.3 < judged.mean_map_error < 1.5, "one point everywhere"


def test_confidence_that_ranks_errors_is_seen(scene: Scene) -> None:
    judged = judge(Oracle(scene, 0.2), PRESET, scene, np.ones((112, 112, 3), np.float32))
    assert judged.error > 0.01
    assert judged.rank_correlation > 0.3


def test_mean_map_of_one_scene_is_its_mean_view(scene: Scene) -> None:
    found = mean_map(iter([scene]), (32, 32))
    local = local_points(sampled(scene.points, (32, 32)), scene.camera_poses)
    np.testing.assert_allclose(found, local.mean(0) / local[..., 2].mean(), rtol=1e-5)
    assert found[..., 2].mean() == pytest.approx(1)


def test_figures_are_medians(scene: Scene) -> None:
    judged = [
        judge(Oracle(scene, noise), PRESET, scene, np.ones((112, 112, 3), np.float32)) for noise in (0.0, 0.1, 0.4)
    ]
    assert figures(judged)["pointmap error, median"] == judged[1].error
