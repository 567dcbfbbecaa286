"""SPIn-NeRF: every mask goes with its own photograph, clicks come of the first mask, and errors say what is missing."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mvsam.evaluation.benchmarks.scenes import Dataset, DatasetError
from mvsam.evaluation.benchmarks.spin_nerf import SpinNerf
from tests.clutter import clutter
from tests.unit.evaluation.benchmarks.pictures import box, photographs, save, scribble_over, truncate, under

SIZE, MASK = (48, 64), (24, 32)
ORCHIDS = [f"IMG_{number}.JPG" for number in range(4467, 4492)]
ANNOTATED = [index for index in range(25) if index != 14]
FOLDER = "orchids (llff)"


def mask_of(index: int) -> np.ndarray:
    """Another one in each view."""
    return box(MASK, slice(4, 12), slice(index, index + 6))


def annotate(folder: Path, masks: dict[str, np.ndarray]) -> None:
    """A folder of the archive."""
    for name, mask in masks.items():
        save(folder / f"{name}.png", mask // 255 * 3)  # neither 1 nor 255: whatever is not black is inside
        save(folder / f"{name}_cutout.png", np.repeat(mask[..., None], 4, axis=2))
        save(folder / f"{name}_pseudo.png", np.full((*mask.shape, 3), 90, np.uint8))
    (folder / "annotations.json").write_text("{}")
    (folder / "._image000.png").write_bytes(b"of macOS")


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    root = tmp_path / "Multiview-Segmentation-Data"
    annotate(root / FOLDER, {f"image{index:03d}": mask_of(index) for index in ANNOTATED})
    return root


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """As in nerf_llff_data."""
    photographs(tmp_path / "images" / "orchids" / "images", ORCHIDS)
    return tmp_path / "images"


def test_nine_scenes_unless_others_are_named(masks: Path, images: Path) -> None:
    dataset: Dataset = SpinNerf(masks, images)
    scenes = dataset.scenes()
    assert dataset.name == "SPIn-NeRF"
    assert sorted(scenes) == ["fern", "fork", "fortress", "horns", "leaves", "lego", "orchids", "room", "truck"]
    assert SpinNerf(masks, images, only=["pinecone", "fern"]).scenes() == ["pinecone", "fern"]
    with pytest.raises(DatasetError, match=r"nowhere is missing; get it from https://spinnerf3d"):
        SpinNerf(masks / "nowhere", images).scenes()


def test_what_lies_beside_photographs_and_masks_is_passed_over(masks: Path, images: Path) -> None:
    before = SpinNerf(masks, images).load("orchids")
    clutter(masks)
    clutter(images)
    (masks / FOLDER / "image000.png").rename(masks / FOLDER / "image000.PNG")
    after = SpinNerf(masks, images).load("orchids")
    assert [each.read() for each in after.photographs] == [each.read() for each in before.photographs]
    assert (after.targets[0].clicks, after.targets[0].scored) == (before.targets[0].clicks, before.targets[0].scored)


def test_a_mask_belongs_to_the_photograph_of_its_number_whatever_masks_are_missing(masks: Path, images: Path) -> None:
    scene = SpinNerf(masks, images).load("orchids")
    assert [photograph.name for photograph in scene.photographs] == ORCHIDS
    assert scene.photographs[15].read() == (images / "orchids/images" / ORCHIDS[15]).read_bytes()
    (target,) = scene.targets
    assert sorted(target.truth) == ANNOTATED
    for view in ANNOTATED:
        assert np.array_equal(target.truth[view](), mask_of(view) > 0)


def test_of_very_many_photographs_those_without_a_mask_are_thinned(tmp_path: Path) -> None:
    names = [f"{number:06d}.jpg" for number in range(1, 131)]
    photographs(tmp_path / "images" / "truck" / "images", names)
    annotated = [4, 5, 77, 129]
    annotate(
        tmp_path / "Truck (Tanks & Temples)", {f"0_{names[index][:-4]}": mask_of(index % 20) for index in annotated}
    )
    scene = SpinNerf(tmp_path, tmp_path / "images").load("truck")
    kept = [photograph.name for photograph in scene.photographs]
    assert len(kept) == 100 and kept == sorted(kept)
    (target,) = scene.targets
    assert [kept[view] for view in sorted(target.truth)] == [names[index] for index in annotated]
    assert all((target.truth[kept.index(names[index])]() == (mask_of(index % 20) > 0)).all() for index in annotated)
    assert {click.view for click in target.clicks} == {kept.index(names[4])}


def test_numbered_copies_serve_as_well(masks: Path, tmp_path: Path) -> None:
    names = [f"image{index:03d}.png" for index in range(25)]
    photographs(tmp_path / "small" / "orchids" / "images_4", names)
    scene = SpinNerf(masks, tmp_path / "small").load("orchids")
    assert [photograph.name for photograph in scene.photographs] == names
    assert sorted(scene.targets[0].truth) == ANNOTATED


def test_photographs_by_whose_order_masks_are_numbered_must_all_be_there(masks: Path, images: Path) -> None:
    (images / "orchids/images" / ORCHIDS[3]).unlink()
    with pytest.raises(DatasetError, match=r"holds 24 photographs, not the 25 .*image000.png.*nerf_llff_data"):
        SpinNerf(masks, images).load("orchids")


@pytest.mark.parametrize(
    ("scene", "folder", "stems"),
    [
        ("horns", "horns (llff)", {"DJI_2": 1, "DJI_3": 2}),
        ("truck", "Truck (Tanks & Temples)", {"0_DJI_2": 1, "1_DJI_1": 0, "DJI_3": 2}),
        ("lego", "lego_real_night_radial", {"0_DJI_3": 2, "1_DJI_2": 1}),
    ],
)
def test_masks_of_other_scenes_belong_to_photographs_of_their_name(
    tmp_path: Path, scene: str, folder: str, stems: dict[str, int]
) -> None:
    annotate(tmp_path / "masks" / folder, {stem: mask_of(view) for stem, view in stems.items()})
    photographs(tmp_path / "images" / scene / "images", ["DJI_1.jpg", "DJI_2.jpg", "DJI_3.jpg"], (48, 65))
    dataset = SpinNerf(tmp_path / "masks", tmp_path / "images", reference_scored=True)
    (target,) = dataset.load(scene).targets
    assert sorted(target.truth) == sorted(stems.values()) == list(target.scored)
    for view in stems.values():
        assert np.array_equal(target.truth[view](), mask_of(view) > 0)
    assert {click.view for click in target.clicks} == {stems[min(stems)]}


def test_names_without_a_photograph_are_not_guessed_at(tmp_path: Path) -> None:
    annotate(tmp_path / "masks/horns (llff)", {"0_DJI_1": mask_of(0)})
    photographs(tmp_path / "images/horns/images", ["DJI_1.jpg"])
    with pytest.raises(DatasetError, match=r"0_DJI_1.png belongs to none of the 1 photographs .*nerf_llff_data"):
        SpinNerf(tmp_path / "masks", tmp_path / "images").load("horns")


def test_clicks_are_in_and_outside_the_first_mask(masks: Path, images: Path) -> None:
    for seed in range(5):
        (target,) = SpinNerf(masks, images, seed=seed).load("orchids").targets
        assert [click.positive for click in target.clicks] == 8 * [True] + 2 * [False]
        for click in target.clicks:
            assert click.view == 0
            assert under(click, mask_of(0) > 0, SIZE) == click.positive


def test_the_view_with_the_clicks_is_scored_on_demand_only(masks: Path, images: Path) -> None:
    (target,) = SpinNerf(masks, images).load("orchids").targets
    (all_scored,) = SpinNerf(masks, images, reference_scored=True).load("orchids").targets
    assert list(target.scored) == ANNOTATED[1:]
    assert list(all_scored.scored) == ANNOTATED
    assert target.clicks == all_scored.clicks


def test_clicks_are_the_same_in_every_run_and_others_with_another_seed(masks: Path, images: Path) -> None:
    clicks = [SpinNerf(masks, images, seed=seed).load("orchids").targets[0].clicks for seed in (0, 0, 1)]
    assert clicks[0] == clicks[1] != clicks[2]


def test_a_further_llff_scene_can_be_asked_for(tmp_path: Path) -> None:
    annotate(tmp_path / "masks/flower (llff)", {"image000": mask_of(0), "image002": mask_of(2)})
    photographs(tmp_path / "images/flower/images", ["a.jpg", "b.jpg", "c.jpg"])
    dataset = SpinNerf(tmp_path / "masks", tmp_path / "images", only=["flower"])
    assert sorted(dataset.load(*dataset.scenes()).targets[0].truth) == [0, 2]


def test_without_photographs_it_is_said_where_to_get_them(masks: Path) -> None:
    with pytest.raises(DatasetError, match=r"no photographs.*nerf_llff_data.*tanksandtemples"):
        SpinNerf(masks, None).scenes()
    annotate(masks / "Truck (Tanks & Temples)", {"000001": mask_of(0)})
    with pytest.raises(DatasetError, match=r"Truck \(Tanks & Temples\) holds no photographs; .*tanksandtemples"):
        SpinNerf(masks, None).load("truck")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda masks, _: truncate(masks / FOLDER / "image007.png"), r"image007.png is a truncated PNG.*spinnerf3d"),
        (lambda masks, _: (masks / FOLDER / "image007.png").write_bytes(b""), r"image007.png is empty.*spinnerf3d"),
        (lambda masks, _: scribble_over(masks / FOLDER / "image007.png"), r"image007.png is a damaged PNG.*spinnerf3d"),
        (lambda masks, _: shutil.rmtree(masks / FOLDER), r"orchids \(llff\): No such file.*spinnerf3d"),
        (lambda masks, _: save(masks / FOLDER / "image000.png", np.zeros(MASK, np.uint8)), r"image000.png: .*positive"),
        (lambda masks, _: save(masks / FOLDER / "image000.png", np.ones(MASK, np.uint8)), r"image000.png: .*negative"),
        (lambda masks, _: save(masks / FOLDER / "image003.png", mask_of(3).T), r"24x32, its photograph .* 64x48"),
        (lambda masks, _: save(masks / FOLDER / "image025.png", mask_of(3)), r"image025.png belongs to none of the 25"),
        (
            lambda masks, _: [
                path.unlink() for path in (masks / FOLDER).glob("image0??.png") if "000" not in path.name
            ],
            "one mask only",
        ),
        (lambda masks, _: [path.unlink() for path in (masks / FOLDER).glob("image0??.png")], "holds no mask"),
        (
            lambda _, images: save(images / "orchids/images/image004.png", np.zeros((*SIZE, 3), np.uint8)),
            "holds 26 photographs, not the 25",
        ),
        (lambda _, images: shutil.rmtree(images / "orchids"), r"orchids has no photographs.*nerf_llff_data"),
        (
            lambda _, images: (images / "orchids/images" / ORCHIDS[5]).write_bytes(b"GIF89a"),
            r"IMG_4472.JPG is a GIF file; get it again from .*nerf_llff_data",
        ),
    ],
)
def test_what_is_missing_or_damaged_is_named_with_where_to_get_it(
    masks: Path, images: Path, spoil: Callable[[Path, Path], object], message: str
) -> None:
    assert SpinNerf(masks, images).load("orchids")
    spoil(masks, images)
    with pytest.raises(DatasetError, match=message):
        SpinNerf(masks, images).load("orchids")


def test_two_masks_of_one_photograph_are_refused(tmp_path: Path) -> None:
    annotate(tmp_path / "masks/lego_real_night_radial", {"0_a": mask_of(0), "1_a": mask_of(1)})
    photographs(tmp_path / "images/lego/images", ["a.jpg"])
    with pytest.raises(DatasetError, match=r"1_a.png and 0_a.png belong to the same photograph"):
        SpinNerf(tmp_path / "masks", tmp_path / "images").load("lego")


@pytest.mark.skipif("MVSAM_DATA" not in os.environ, reason="MVSAM_DATA does not name a folder of real data")
def test_the_real_layout_is_read(tmp_path: Path) -> None:
    photographs(tmp_path / "flower" / "images", [f"IMG_{number}.JPG" for number in range(2962, 2996)])
    data = Path(os.environ["MVSAM_DATA"]) / "layout_spinnerf_like"
    dataset = SpinNerf(data, tmp_path, only=["flower"])
    (target,) = dataset.load(*dataset.scenes()).targets
    assert sorted(target.truth) == list(range(0, 33, 4))
    assert target.scored == tuple(range(4, 33, 4))
    for view in target.truth:
        mask = target.truth[view]()
        assert mask.shape == (378, 504) and 0 < mask.mean() < 0.5
    for click in target.clicks:
        assert click.view == 0 and under(click, target.truth[0](), SIZE) == click.positive
