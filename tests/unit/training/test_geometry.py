"""π³'s losses: blind to what cannot be known, sharp where it can."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mvsam.evaluation.alignment import aligned_error
from mvsam.networks.checkpoints import WeightSource, load_network, weights_path
from mvsam.networks.pi3 import Pi3, Pi3Output
from mvsam.networks.presets import PRESETS, Pi3Config
from mvsam.synthetic.__main__ import main as synthetic
from mvsam.synthetic.scene import Scene, Split, sample_scene
from mvsam.training.__main__ import main
from mvsam.training.config import TrainingConfig
from mvsam.training.geometry_losses import GeometryLoss, best_scale, gauge, gauge_error, pose_errors, world_points
from mvsam.training.geometry_model import GaugedOutput, GaugedPi3
from mvsam.training.geometry_task import GeometryBatch, GeometrySource, GeometryTask, mirrored
from mvsam.training.loop import Trainer
from mvsam.training.matching_start import start_pi3

# Third parties' own deprecations, on import and in TensorBoard's writer.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
TINY = Pi3Config(dim=48, heads=2, encoder_depth=1, decoder_depth=2, head_depth=1, camera_dim=32, position_grid=4)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [sample_scene(seed, Split.TRAIN, views=3, height=56, width=56) for seed in range(4)]


@pytest.fixture(scope="module")
def batch(scenes: list[Scene]) -> GeometryBatch:
    return GeometrySource(scenes, scenes, side=56, views=3).batch(0, [0, 1])


def gauged(output: Pi3Output, batch: GeometryBatch) -> GaugedOutput:
    """With patches of 14 pixels that are where they should be."""
    middles = slice(7, None, 14)
    return GaugedOutput(output, world_points(batch.local_points[:, :, middles, middles], batch.poses))


def perfect(batch: GeometryBatch, scale: float = 1.0) -> Pi3Output:
    """An output that is right in another frame and at another scale."""
    turn = torch.linalg.matrix_exp(torch.tensor([[0.0, -0.4, 0.2], [0.4, 0.0, -0.7], [-0.2, 0.7, 0.0]]))
    frame = torch.eye(4)
    frame[:3, :3], frame[:3, 3] = turn, torch.tensor([1.0, 2.0, 3.0])
    poses = frame @ batch.poses
    poses[..., :3, 3] *= scale
    local = scale * batch.local_points
    return Pi3Output(world_points(local, poses), local, torch.full(batch.valid.shape, 20.0), poses)


def test_exact_geometry_in_another_frame_and_scale_costs_nothing(batch: GeometryBatch) -> None:
    loss, terms = GeometryLoss()(gauged(perfect(batch, 2.5), batch), batch.local_points, batch.poses, batch.valid)
    assert float(loss) < 1e-3, terms


@pytest.mark.parametrize("term", ["points", "rotation", "translation", "confidence"])
def test_each_kind_of_error_is_seen_by_its_term(batch: GeometryBatch, term: str) -> None:
    right = perfect(batch)
    wrong_poses = right.camera_poses.clone()
    wrong_poses[:, 0, :3, :3] = wrong_poses[:, 0, :3, :3] @ torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    shifted = right.camera_poses.clone()
    shifted[:, 0, :3, 3] += 1
    wrong = {
        "points": right._replace(local_points=right.local_points * torch.tensor([1.0, 1.3, 1.0])),
        "rotation": right._replace(camera_poses=wrong_poses),
        "translation": right._replace(camera_poses=shifted),
        "confidence": right._replace(confidence_logits=-right.confidence_logits),
    }[term]
    arguments = (batch.local_points, batch.poses, batch.valid)
    before, after = (GeometryLoss()(gauged(x, batch), *arguments)[1][term] for x in (right, wrong))
    assert float(after) > float(before) + 0.02


def test_gauge_does_not_depend_on_the_world_or_the_views_order(scenes: list[Scene]) -> None:
    poses, points = scenes[0].camera_poses.astype(np.float64), scenes[0].points.reshape(-1, 3).astype(np.float64)
    before = gauge(poses, points)
    angle = 2.0
    world = np.eye(4)
    world[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    world[:3, 3] = (3, -4, 5)
    after = gauge((world @ poses)[::-1], points @ world[:3, :3].T + world[:3, 3])
    np.testing.assert_allclose(after[::-1], before, atol=1e-9)
    assert before[:, 0, 2].mean() > 0 and abs(before[:, 1, 2].mean()) < 1e-9, "looking along x on average"


def test_gauge_error_sees_what_relative_poses_do_not(batch: GeometryBatch) -> None:
    one = torch.ones(len(batch.poses))
    assert float(gauge_error(batch.poses, batch.poses, one).max()) < 1e-3
    assert float(gauge_error(perfect(batch).camera_poses, batch.poses, one).min()) > 0.5


def test_a_mirrored_scene_is_a_scene(batch: GeometryBatch) -> None:
    views = [x[0].numpy() for x in batch]
    images, local, poses, _ = mirrored(views)
    np.testing.assert_allclose(np.linalg.det(poses[:, :3, :3]), 1, atol=1e-5)
    points = world_points(*(torch.from_numpy(np.ascontiguousarray(x))[None] for x in (local, poses)))[0].numpy()
    exact = world_points(batch.local_points[:1], batch.poses[:1])[0].numpy()
    np.testing.assert_allclose(points[:, :, ::-1] * [1, -1, 1], exact, atol=1e-4)
    np.testing.assert_array_equal(images[..., ::-1], views[0])


def test_scale_survives_outliers(batch: GeometryBatch) -> None:
    found = batch.local_points / 3
    found[:, :, ::8] *= 4
    assert best_scale(found, batch.local_points, batch.valid).tolist() == pytest.approx([3, 3], rel=0.01)


def test_angles_are_angles() -> None:
    exact, found = torch.eye(4).repeat(1, 2, 1, 1), torch.eye(4).repeat(1, 2, 1, 1)
    angle = 0.6
    found[0, 1, :2, :2] = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    angles, _ = pose_errors(found, exact, torch.ones(1))
    assert angles.flatten().tolist() == pytest.approx([angle, angle], abs=1e-3)


def test_aligned_error_ignores_the_frame_and_is_about_one_for_a_constant_map() -> None:
    rng = np.random.default_rng(0)
    exact = rng.normal(size=(5000, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    assert aligned_error(4 * exact @ turn.T + 7, exact) < 1e-9
    assert aligned_error(exact + 0.1 * rng.normal(size=exact.shape), exact) == pytest.approx(0.09, abs=0.02)
    assert aligned_error(rng.normal(size=exact.shape), exact) == pytest.approx(0.9, abs=0.1)


def test_local_points_and_poses_give_the_scenes_points(scenes: list[Scene]) -> None:
    source = GeometrySource(scenes[:1], scenes[:1], side=56, views=3)
    held = source.held_out()
    points = world_points(held.local_points, held.poses)[0].numpy()
    order = np.random.default_rng((0, 2**31, 0)).permutation(3)
    assert aligned_error(points, scenes[0].points[order]) < 1e-5


def test_a_short_training_lowers_the_error(scenes: list[Scene], tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Pi3(TINY)
    start_pi3(network)
    task = GeometryTask(GaugedPi3(network), GeometrySource(scenes, scenes, side=56, views=2), GeometryLoss())
    config = TrainingConfig(steps=40, batch=4, learning_rate=2e-3, warmup=5, validate_every=1000, log_every=100)
    trainer = Trainer(task, config, tmp_path, cpu=True)
    first = trainer.run(until=2)
    assert trainer.run() < 0.8 * first
    with torch.inference_mode():
        figures = task.validate(trainer.average.module.eval())
        assert task.pictures(trainer.average.module)["depth"].shape == (4 * 56, 3 * 56, 3)
    assert 0 < figures["pointmap error"] < 1.2 and 0 <= figures["rotation error"] <= 180


def test_scenes_become_weights_of_half_the_size(tmp_path: Path) -> None:
    size = ["--count", "2", "--views", "3", "--height", "112", "--width", "112"]
    assert synthetic(["render", "--out", str(tmp_path / "scenes"), *size]) == 0
    run, weights = tmp_path / "run", tmp_path / "weights"
    data = ["--scenes", str(tmp_path / "scenes"), "--held-out", str(tmp_path / "scenes")]
    assert main(["geometry", *data, "--output", str(run), "--steps", "2"]) == 0
    assert main(["install", "--run", str(run), "--weights-directory", str(weights)]) == 0
    network, provenance = load_network(PRESETS["demo"], "pi3", WeightSource.FILES, weights)
    assert provenance["trained"] and next(network.parameters()).dtype == torch.float32
    averaged = torch.load(run / "checkpoint.pt", weights_only=True)["average"]["module.pi3.point_head.proj.weight"]
    torch.testing.assert_close(network.state_dict()["point_head.proj.weight"], averaged, rtol=1e-3, atol=1e-6)
    half = 2 * sum(parameter.numel() for parameter in network.parameters())
    assert weights_path(weights, PRESETS["demo"], "pi3").stat().st_size < 1.02 * half
