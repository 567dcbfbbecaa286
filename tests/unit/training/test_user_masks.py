"""A user's own masks: every annotated view has its turn, and whatever does not fit is named with its remedy."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mvsam.training.example import Part
from mvsam.training.user_masks import UserScenes
from tests.clutter import clutter, in_capitals

SIZES = [(24, 32), (24, 32), (30, 20)]


def save(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def square(size: tuple[int, int], side: int) -> np.ndarray:
    """A white square in the corner; 0 for none."""
    mask = np.zeros(size, np.uint8)
    mask[:side, :side] = 255
    return mask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two objects in three views: the mug in all three, hidden in the last; the plate only in the second."""
    scene = tmp_path / "data" / "kitchen"
    for view, (name, size) in enumerate(zip(["a.jpg", "b.png", "c.webp"], SIZES, strict=True)):
        save(scene / "images" / name, np.full((*size, 3), 60 * view, np.uint8))
    for name, size, side in zip("abc", SIZES, (5, 6, 0), strict=True):
        save(scene / "masks" / "mug" / f"{name}.png", square(size, side))
    save(scene / "masks" / "plate" / "b.png", square(SIZES[1], 9))
    return tmp_path / "data"


def test_every_view_with_a_mask_has_its_turn(folder: Path) -> None:
    examples = {example.key.partition(",")[0]: example for example in UserScenes.open(folder).examples()}
    assert sorted(examples) == ["kitchen/a", "kitchen/b"]
    mug, both = examples["kitchen/a"], examples["kitchen/b"]
    assert mug.masks.sum((1, 2)).tolist() == [25]
    assert both.masks.sum((1, 2)).tolist() == [36, 81]
    for example in examples.values():
        stems = example.key.removeprefix("kitchen/").split(",")
        assert sorted(stems) == ["a", "b", "c"]
        areas = dict(zip(stems[1:], example.further_masks, strict=True))
        assert areas["c"][0].sum() == 0
        assert example.annotated is not None
        assert example.annotated[0].all()
        assert [photograph.shape[:2] for photograph in example.photographs] == [SIZES["abc".index(s)] for s in stems]
    assert both.annotated is not None
    assert both.annotated[1].tolist() == [True, False, False]


def test_what_lies_beside_photographs_and_masks_is_passed_over(folder: Path) -> None:
    before = UserScenes.open(folder).scenes
    clutter(folder)
    in_capitals(folder)
    after = UserScenes.open(folder).scenes
    assert [path.stem for path in after[0].photographs] == [path.stem for path in before[0].photographs]
    assert [(each.folder, each.masks, each.seen) for each in after] == [
        (each.folder, each.masks, each.seen) for each in before
    ]


def test_single_views_are_drawn_alone(folder: Path) -> None:
    for example in UserScenes.open(folder / "kitchen", views=1).examples():
        assert len(example.photographs) == 1
        assert not example.further_masks
        assert example.annotated is None


def test_geometry_follows_the_views(folder: Path) -> None:
    points = np.arange(3)[:, None, None, None] + np.zeros((3, 6, 8, 3), np.float32)
    np.savez(folder / "kitchen" / "geometry.npz", points=points)
    for example in UserScenes.open(folder).examples():
        assert example.geometry is not None
        views = ["abc".index(stem) for stem in example.key.removeprefix("kitchen/").split(",")]
        assert example.geometry.points[:, 0, 0, 0].tolist() == views
        assert example.geometry.valid.all()
        assert (example.geometry.confidence == 1).all()


def test_order_parts_and_resumption(folder: Path) -> None:
    scenes = UserScenes.open(folder, views=2)
    for epoch in range(4):
        whole = [(example.key, example.place) for example in scenes.examples(epoch)]
        assert [(example.key, example.place) for example in scenes.examples(epoch)] == whole
        assert [(example.key, example.place) for example in scenes.examples(epoch, start=1)] == whole[1:]
        parts = [UserScenes.open(folder, views=2, part=Part(rank, 2)).examples(epoch) for rank in range(2)]
        assert [(example.key, example.place) for part in parts for example in part] == whole
    firsts = [next(scenes.examples(epoch)).key.partition(",")[0] for epoch in range(8)]
    assert set(firsts) == {"kitchen/a", "kitchen/b"}


def test_further_views_stay_the_same(folder: Path) -> None:
    scenes = UserScenes.open(folder, views=2)
    assert len({example.key for epoch in range(8) for example in scenes.examples(epoch)}) == 2
    assert scenes.count_photographs() == 4


def test_what_is_held_out_is_not_trained_on(folder: Path) -> None:
    scenes = UserScenes.open(folder)
    assert scenes.lacks_geometry
    with pytest.raises(ValueError, match="every scene is held out"):
        scenes.without(UserScenes.open(folder / "kitchen"))
    shutil.copytree(folder / "kitchen", folder / "attic")
    both = UserScenes.open(folder)
    assert [scene.folder.name for scene in both.without(scenes).scenes] == ["attic"]


def test_masks_with_colours_transparency_and_sixteen_bits(folder: Path) -> None:
    mug = folder / "kitchen" / "masks" / "mug"
    coloured = np.zeros((*SIZES[0], 4), np.uint8)
    coloured[:4, :4] = (0, 0, 7, 255)
    coloured[10:, 10:] = (255, 255, 255, 0)  # transparent: outside
    save(mug / "a.png", coloured)
    save(mug / "b.png", square(SIZES[1], 3).astype(np.uint16))
    areas = {example.key[8]: int(example.masks[0].sum()) for example in UserScenes.open(folder).examples()}
    assert areas == {"a": 16, "b": 9}


def _wrong_size(scene: Path) -> None:
    save(scene / "masks" / "mug" / "a.png", square((24, 31), 3))


def _no_photograph(scene: Path) -> None:
    (scene / "images" / "b.png").unlink()


def _all_black(scene: Path) -> None:
    for path, size in zip(["mug/a.png", "mug/b.png", "plate/b.png"], [SIZES[0], SIZES[1], SIZES[1]], strict=True):
        save(scene / "masks" / path, square(size, 0))


def _truncated_photograph(scene: Path) -> None:
    path = scene / "images" / "a.jpg"
    path.write_bytes(path.read_bytes()[:-60])


def _truncated_mask(scene: Path) -> None:
    path = scene / "masks" / "mug" / "a.png"
    path.write_bytes(path.read_bytes()[:20])


def _jpeg_mask(scene: Path) -> None:
    Image.fromarray(square(SIZES[0], 3)).save(scene / "masks" / "mug" / "a.png", "JPEG")


def _twin(scene: Path) -> None:
    save(scene / "images" / "a.png", np.zeros((*SIZES[0], 3), np.uint8))


def _loose_mask(scene: Path) -> None:
    save(scene / "masks" / "a.png", square(SIZES[0], 3))


def _no_images(scene: Path) -> None:
    for path in (scene / "images").iterdir():
        path.unlink()


def _no_points(scene: Path) -> None:
    np.savez(scene / "geometry.npz", depth=np.zeros((3, 2, 2)))


def _too_few_pointmaps(scene: Path) -> None:
    np.savez(scene / "geometry.npz", points=np.zeros((2, 4, 5, 3), np.float32))


def _infinite_points(scene: Path) -> None:
    np.savez(scene / "geometry.npz", points=np.full((3, 4, 5, 3), np.nan, np.float32))


def _bare_array(scene: Path) -> None:
    with (scene / "geometry.npz").open("wb") as file:
        np.save(file, np.zeros((3, 4, 5, 3), np.float32))


def _no_archive(scene: Path) -> None:
    (scene / "geometry.npz").write_bytes(b"PK\x03\x04 cut off")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_wrong_size, r"mug/a.png is 31x24, its photograph 32x24; save the mask at the upright photograph's size"),
        (_no_photograph, r"mug/b.png belongs to no photograph; name it after a file in .*images"),
        (_all_black, r"masks holds no mask with pixels; add masks/<object>"),
        (_truncated_photograph, r"images/a.jpg is a truncated or damaged JPEG"),
        (_truncated_mask, r"mug/a.png is a PNG with a truncated"),
        (_jpeg_mask, r"mug/a.png is a JPEG; save it as PNG"),
        (_twin, r"images/a.png and a.jpg share a stem; rename one|images/a.jpg and a.png share a stem"),
        (_loose_mask, r"masks/a.png is no folder; put each object's masks in a folder"),
        (_no_images, r"images holds no photograph; put JPEG, PNG or WebP files there"),
        (_no_points, r"geometry.npz lacks an array: .*points"),
        (_too_few_pointmaps, r"geometry.npz: points holds 2 views, IMAGES 3; .* save it with numpy.savez"),
        (_infinite_points, r"geometry.npz: points: view 0, pixel \(0, 0\) is not finite"),
        (_bare_array, r"geometry.npz: a single array without a name; save it with numpy.savez"),
        (_no_archive, r"geometry.npz: .* save it with numpy.savez"),
    ],
)
def test_what_does_not_fit_is_named(folder: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(folder / "kitchen")
    with pytest.raises(ValueError, match=message):
        UserScenes.open(folder)


def test_a_folder_without_scenes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no scene; give a folder with scene folders"):
        UserScenes.open(tmp_path)
