"""DL3DV: frames at equal distances, clicks over all views by the user's masks, and errors that say what to do."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mvsam.evaluation.benchmarks.dl3dv import Dl3dv
from mvsam.evaluation.benchmarks.scenes import Dataset, DatasetError
from tests.clutter import clutter
from tests.unit.evaluation.benchmarks.pictures import box, photographs, save, truncate, under

SCENE = "0a1b7c20a92c43c6b8954b1ac909fb2f0fa8b2997b80604bc8bbec80a1cb2da3"
SIZE, MASK = (27, 48), (54, 96)
NAMES = [f"frame_{number:05d}.png" for number in range(1, 8)]


def mug(view: int) -> np.ndarray:
    """Another mask in each view; not seen in the last but one."""
    return box(MASK, slice(10, 20), slice(5 * view, 5 * view + 10)) * (view != 5)


def transforms(names: list[str]) -> str:
    """As DL3DV has it, frames in no order."""
    frames = [{"file_path": f"images/{name}", "transform_matrix": np.eye(4).tolist()} for name in reversed(names)]
    return json.dumps({"w": 384, "h": 216, "camera_model": "OPENCV", "frames": frames})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A scene with two objects; the plate is annotated in three frames only."""
    folder = tmp_path / "DL3DV" / SCENE
    photographs(folder / "images_8", NAMES, SIZE)
    (folder / "transforms.json").write_text(transforms(NAMES))
    for view, name in enumerate(NAMES):
        save(folder / "masks" / "mug" / name, mug(view))
    for name in NAMES[:3]:
        save(folder / "masks" / "plate" / name, box(MASK, slice(40, 50), slice(50, 90)))
    (tmp_path / "DL3DV" / "without masks").mkdir()
    return tmp_path / "DL3DV"


def test_scenes_are_those_with_masks(root: Path) -> None:
    dataset: Dataset = Dl3dv(root)
    assert dataset.name == "DL3DV"
    assert dataset.scenes() == [SCENE]


def test_what_lies_beside_frames_and_masks_is_passed_over(root: Path) -> None:
    before = Dl3dv(root).load(SCENE)
    clutter(root)
    for path in list((root / SCENE / "masks" / "plate").glob("f*.png")):
        path.rename(path.with_suffix(".PNG"))
    assert Dl3dv(root).scenes() == [SCENE]
    after = Dl3dv(root).load(SCENE)
    assert [each.read() for each in after.photographs] == [each.read() for each in before.photographs]
    assert [(each.name, each.clicks) for each in after.targets] == [(each.name, each.clicks) for each in before.targets]


def test_every_annotated_view_counts_even_where_the_object_is_not_seen(root: Path) -> None:
    scene = Dl3dv(root).load(SCENE)
    assert [photograph.name for photograph in scene.photographs] == NAMES
    assert scene.photographs[2].read() == (root / SCENE / "images_8" / NAMES[2]).read_bytes()
    first, second = scene.targets
    assert (first.name, first.scored) == ("mug", tuple(range(7)))
    assert (second.name, second.scored) == ("plate", (0, 1, 2))
    for view in range(7):
        assert np.array_equal(first.truth[view](), mug(view) > 0)


def test_frames_are_as_far_apart_as_they_can_be(root: Path) -> None:
    scene = Dl3dv(root, frames=3).load(SCENE)
    assert [photograph.name for photograph in scene.photographs] == [NAMES[0], NAMES[3], NAMES[6]]
    first, second = scene.targets
    assert first.scored == (0, 1, 2) and second.scored == (0,)
    assert np.array_equal(first.truth[1](), mug(3) > 0)
    assert {click.view for click in first.clicks} <= {0, 1, 2}


def test_clicks_are_on_and_beside_the_object_in_many_views(root: Path) -> None:
    for seed in range(5):
        (target, _) = Dl3dv(root, seed=seed).load(SCENE).targets
        assert [click.positive for click in target.clicks] == 10 * [True] + 2 * [False]
        assert len({click.view for click in target.clicks}) > 2
        for click in target.clicks:
            assert under(click, mug(click.view) > 0, SIZE) == click.positive


def test_clicks_are_the_same_in_every_run_and_others_with_another_seed(root: Path) -> None:
    clicks = [Dl3dv(root, seed=seed).load(SCENE).targets[0].clicks for seed in (0, 0, 1)]
    assert clicks[0] == clicks[1] != clicks[2]


def test_masks_may_be_in_a_tree_of_their_own(root: Path, tmp_path: Path) -> None:
    expected = Dl3dv(root).load(SCENE).targets
    (tmp_path / "masks").mkdir()
    shutil.move(root / SCENE / "masks", tmp_path / "masks" / SCENE)
    dataset = Dl3dv(root, tmp_path / "masks")
    assert dataset.scenes() == [SCENE]
    assert [target.clicks for target in dataset.load(SCENE).targets] == [target.clicks for target in expected]


@pytest.mark.parametrize("subfolder", ["colmap", "nerfstudio"])
def test_frames_may_be_in_a_subfolder(root: Path, subfolder: str) -> None:
    for name in ("images_8", "transforms.json"):
        (root / SCENE / subfolder).mkdir(exist_ok=True)
        shutil.move(root / SCENE / name, root / SCENE / subfolder / name)
    assert len(Dl3dv(root).load(SCENE).photographs) == 7


def test_cameras_are_not_needed(root: Path) -> None:
    expected = Dl3dv(root).load(SCENE)
    (root / SCENE / "transforms.json").unlink()
    (root / SCENE / "images_8" / f"._{NAMES[0]}").touch()
    scene = Dl3dv(root).load(SCENE)
    assert [photograph.name for photograph in scene.photographs] == NAMES
    assert [target.clicks for target in scene.targets] == [target.clicks for target in expected.targets]
    for name in NAMES:
        (root / SCENE / "images_8" / name).unlink()
    with pytest.raises(DatasetError, match=r"images_8 holds no photograph; get them from .*DL3DV-10K"):
        Dl3dv(root).load(SCENE)


def test_a_listing_with_a_byte_order_mark_is_read(root: Path) -> None:
    (root / SCENE / "transforms.json").write_text(transforms(NAMES[1:]), encoding="utf-8-sig")
    for name in ("mug", "plate"):
        (root / SCENE / "masks" / name / NAMES[0]).unlink()
    assert [photograph.name for photograph in Dl3dv(root).load(SCENE).photographs] == NAMES[1:]


def test_larger_copies_are_preferred(root: Path) -> None:
    photographs(root / SCENE / "images_4", NAMES, MASK)
    photograph = Dl3dv(root).load(SCENE).photographs[0]
    assert photograph.read() == (root / SCENE / "images_4" / NAMES[0]).read_bytes()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda scene: truncate(scene / "transforms.json"), r"transforms.json is no JSON file.*github.com/DL3DV-10K"),
        (lambda scene: (scene / "transforms.json").write_bytes(b"\xff\xfe"), r"transforms.json is no JSON file"),
        (lambda scene: (scene / "transforms.json").write_text("[]"), r"transforms.json lists no frames"),
        (lambda scene: (scene / "transforms.json").write_text('{"frames": [{}]}'), r"transforms.json lists no frames"),
        (lambda scene: (scene / "transforms.json").write_text('{"frames": [{"file_path": 1}]}'), r"lists no frames"),
        (lambda scene: shutil.rmtree(scene / "images_8"), r"no folder images_4 or images_8; .*github.com/DL3DV-10K"),
        (lambda scene: (scene / "images_8" / NAMES[4]).unlink(), r"frame_00005.png is missing.*github.com/DL3DV-10K"),
        (lambda scene: truncate(scene / "masks/mug" / NAMES[4]), r"mug/frame_00005.png is a truncated PNG"),
        (lambda scene: save(scene / "masks/mug" / NAMES[4], mug(4).T), r"54x96, its photograph .* 48x27"),
        (lambda scene: save(scene / "masks/mug/frame_00009.png", mug(1)), r"frame_00009.png belongs to no frame"),
        (lambda scene: (scene / "masks/mug/frame_00001.txt").touch(), r"frame_00001.txt belongs to no frame"),
        (lambda scene: (scene / "masks/spoon").mkdir(), r"masks/spoon: no view shows the object"),
        (lambda scene: save(scene / "masks/spoon" / NAMES[0], mug(5)), r"masks/spoon: no view shows the object"),
        (lambda scene: [shutil.rmtree(path) for path in (scene / "masks").iterdir()], r"paint them"),
    ],
)
def test_what_is_missing_or_damaged_is_named_with_the_remedy(
    root: Path, spoil: Callable[[Path], object], message: str
) -> None:
    assert Dl3dv(root).load(SCENE)
    spoil(root / SCENE)
    with pytest.raises(DatasetError, match=message):
        Dl3dv(root).load(SCENE)


def test_a_cut_off_frame_is_named_when_it_is_read(root: Path) -> None:
    truncate(root / SCENE / "images_8" / NAMES[3])
    scene = Dl3dv(root).load(SCENE)
    with pytest.raises(DatasetError, match=r"frame_00004.png is a truncated PNG; get it again from .*DL3DV-10K"):
        scene.photographs[3].read()


def test_without_masks_it_is_said_that_they_must_be_painted(root: Path) -> None:
    shutil.rmtree(root / SCENE / "masks")
    with pytest.raises(DatasetError, match=r"no scene with masks; .*paint them.*<hash>/masks/<object>/<frame>.png"):
        Dl3dv(root).scenes()
    with pytest.raises(DatasetError, match=r"nowhere: No such file.*github.com/DL3DV-10K"):
        Dl3dv(root / "nowhere").scenes()
