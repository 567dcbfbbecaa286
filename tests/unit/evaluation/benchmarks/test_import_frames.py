from pathlib import Path

import cv2
import numpy as np
import pytest

from mvsam.evaluation.benchmarks.agreement import agreement
from mvsam.evaluation.benchmarks.import_frames import ROOM_PROMPTS, main
from mvsam.evaluation.benchmarks.own import OwnScenes
from mvsam.synthetic.scene import Scene, Split, sample_scene
from tests.clutter import clutter


@pytest.fixture(scope="module")
def drawn() -> Scene:
    return sample_scene(3, Split.TEST, views=3, height=60, width=80)


@pytest.fixture
def sequence(tmp_path: Path, drawn: Scene) -> Path:
    """As YCB-Video has them."""
    folder = tmp_path / "0000"
    folder.mkdir()
    for view in range(3):
        stem = f"{folder}/{view + 1:06d}"
        cv2.imwrite(f"{stem}-color.png", drawn.images[view][..., ::-1])
        cv2.imwrite(f"{stem}-depth.png", np.rint(drawn.depth[view] * 10_000).clip(0, 65535).astype(np.uint16))
        cv2.imwrite(f"{stem}-label.png", (drawn.objects[view] + 1).astype(np.uint8))
        lens = drawn.intrinsics[view].astype(np.float64)
        lens[:2, 2] -= 0.5  # their pixel centres are at integers
        extrinsics = np.linalg.inv(drawn.camera_poses[view].astype(np.float64))[:3]
        np.savez(
            f"{stem}-meta.npz",
            intrinsic_matrix=lens,
            rotation_translation_matrix=extrinsics,
            factor_depth=np.array([[10_000]], np.uint16),
        )
    return folder


def test_what_lies_beside_frames_is_passed_over(sequence, tmp_path):
    clutter(sequence)
    assert main(["ycb-video", str(sequence), "--output", str(tmp_path / "own")]) == 0
    assert len(OwnScenes(tmp_path / "own").load("0000").photographs) == 3


def test_a_sequence_becomes_a_scene_with_exact_geometry_and_masks(sequence, tmp_path, drawn):
    assert main(["ycb-video", str(sequence), "--output", str(tmp_path / "own")]) == 0
    scene = OwnScenes(tmp_path / "own").load("0000")
    assert scene.pointmaps is not None
    pointmaps = scene.pointmaps()
    near = pointmaps.geometry.valid & (drawn.depth < 6.5)
    assert near.mean() > 0.3
    assert np.abs(pointmaps.geometry.points - drawn.points)[near].max() < 0.01
    assert {target.name for target in scene.targets} == {str(label) for label in np.unique(drawn.objects) + 1} - {"0"}
    target = scene.targets[0]
    masks = [target.truth[view]() if view in target.truth else np.zeros((60, 80), bool) for view in range(3)]
    assert all((mask == drawn.mask(int(target.name) - 1)[view]).all() for view, mask in enumerate(masks))
    found = agreement(masks, pointmaps)
    assert found is not None and found > 0.5


def test_the_room_becomes_a_scene_with_prompts(tmp_path, drawn):
    source = tmp_path / "room"
    (source / "rgb").mkdir(parents=True)
    lens = drawn.intrinsics.copy()
    lens[:, :2, 2] -= 0.5
    np.savez(source / "condition.npz", intrinsics=lens, poses=drawn.camera_poses, depths=drawn.depth)
    for view in range(3):
        cv2.imwrite(str(source / "rgb" / f"{view}.png"), drawn.images[view][..., ::-1])
    assert main(["pi3-room", str(source), "--output", str(tmp_path / "own")]) == 0
    scene = OwnScenes(tmp_path / "own").load("room")
    assert {target.name: len(target.clicks) for target in scene.targets} == {k: len(v) for k, v in ROOM_PROMPTS.items()}
    assert scene.pointmaps is not None
    assert np.abs(scene.pointmaps().geometry.points - drawn.points).max() < 0.02


def test_what_is_missing_is_named_and_nothing_is_left(sequence, tmp_path, caplog):
    (sequence / "000002-meta.npz").unlink()
    assert main(["ycb-video", str(sequence), "--output", str(tmp_path / "own")]) == 1
    assert "000002-meta.npz is missing" in caplog.text
    assert not list((tmp_path / "own").glob("*")) and not list((tmp_path / "own").glob(".*"))
    assert main(["ycb-video", str(tmp_path), "--output", str(tmp_path / "own")]) == 1
    assert "color.png" in caplog.text
