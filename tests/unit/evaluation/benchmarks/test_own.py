import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mvsam.evaluation.benchmarks.own import OwnScenes
from mvsam.evaluation.benchmarks.scenes import DatasetError
from tests.clutter import clutter, in_capitals
from tests.unit.evaluation.benchmarks.made import SIZE, photograph, square


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "desk"
    for kind in ("images", "masks/cup"):
        (folder / kind).mkdir(parents=True)
    for view in range(3):
        (folder / "images" / f"{view}.png").write_bytes(photograph(view))
        cv2.imwrite(str(folder / "masks" / "cup" / f"{view}.png"), square(view) * np.uint8(255))
    return tmp_path


def test_masks_are_scored_and_clicks_drawn_from_them(root):
    scene = OwnScenes(root).load("desk")
    (target,) = scene.targets
    assert target.name == "cup" and target.scored == (0, 1, 2) and scene.pointmaps is None
    assert [click.positive for click in target.clicks] == [True] * 10 + [False] * 2
    for click in target.clicks:
        assert square(click.view)[round(click.y), round(click.x)] == click.positive
    assert (target.truth[1]() == square(1)).all()
    assert OwnScenes(root).load("desk").targets[0].clicks == target.clicks
    assert OwnScenes(root, seed=1).load("desk").targets[0].clicks != target.clicks


def test_one_scenes_folder_is_enough_and_hidden_ones_are_none(root):
    (root / ".half.tmp" / "images").mkdir(parents=True)
    assert OwnScenes(root).scenes() == OwnScenes(root / "desk").scenes() == ["desk"]


def test_what_lies_beside_photographs_and_masks_is_passed_over(root):
    for path in list((root / "desk" / "images").iterdir()):
        path.rename(path.with_suffix(".jpg"))  # content decides what it is
    before = OwnScenes(root).load("desk")
    contents = [each.read() for each in before.photographs]
    clutter(root)
    in_capitals(root)
    assert OwnScenes(root).scenes() == ["desk"]
    after = OwnScenes(root).load("desk")
    assert [each.name for each in after.photographs] == ["0.JPG", "1.JPG", "2.JPG"]
    assert [each.read() for each in after.photographs] == contents
    assert [(each.name, each.clicks, each.scored) for each in after.targets] == [
        (each.name, each.clicks, each.scored) for each in before.targets
    ]


def test_own_prompts_are_taken_as_they_are_and_need_no_masks(root):
    given = {"mouse": [{"view": "2", "x": 3, "y": 4.5}, {"view": "0", "x": 1, "y": 2, "positive": False}]}
    (root / "desk" / "prompts.json").write_text(json.dumps(given), encoding="utf-8-sig")
    cup, mouse = OwnScenes(root).load("desk").targets
    assert cup.name == "cup"
    assert mouse.clicks == ((2, 3.0, 4.5, True), (0, 1.0, 2.0, False)) and mouse.scored == ()


def test_depth_and_cameras_give_geometry_and_clicks_only_where_there_is_some(root):
    folder = root / "desk"
    (folder / "depth").mkdir()
    lens = [[40, 0, SIZE[1] / 2 - 0.5], [0, 40, SIZE[0] / 2 - 0.5], [0, 0, 1]]
    views = {str(view): {"intrinsics": lens, "camera_to_world": np.eye(4).tolist()} for view in range(3)}
    (folder / "cameras.json").write_text(json.dumps({"depth_scale": 0.001, "views": views}))
    for view in range(3):
        depth = np.full(SIZE, 2000, np.uint16)
        depth[:, :14] = 0
        cv2.imwrite(str(folder / "depth" / f"{view}.png"), depth)
    scene = OwnScenes(root).load("desk")
    assert scene.pointmaps is not None
    pointmaps = scene.pointmaps()
    assert not pointmaps.geometry.valid[..., :14].any() and pointmaps.geometry.valid[..., 14:].all()
    assert pointmaps.geometry.points[0, :, 14:, 2] == pytest.approx(2.0)
    assert all(click.x > 13.4 for click in scene.targets[0].clicks)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "prompts.json").write_text("{"), "prompts.json is not as it should be"),
        (lambda folder: (folder / "prompts.json").write_text('{"a": [{"view": "7", "x": 1, "y": 1}]}'), "prompts.json"),
        (lambda folder: (folder / "masks" / "cup" / "0.png").rename(folder / "masks" / "cup" / "9.png"), "9.png"),
        (lambda folder: (folder / "masks" / "cup" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nx"), "0.png"),
        (lambda folder: (folder / "images" / "0.png").write_bytes(b"nothing"), "0.png"),
        (lambda folder: [path.unlink() for path in (folder / "masks" / "cup").iterdir()], "no view shows the object"),
    ],
)
def test_what_does_not_fit_is_named(root, spoil, said):
    spoil(root / "desk")
    with pytest.raises(DatasetError, match=said):
        scene = OwnScenes(root).load("desk")
        [mask() for target in scene.targets for mask in target.truth.values()]


def test_folders_without_scenes_are_named(tmp_path):
    with pytest.raises(DatasetError, match="holds no scene"):
        OwnScenes(tmp_path).scenes()
