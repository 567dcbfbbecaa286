"""NVOS: the right photographs in every layout of LLFF, clicks on the scribbles, errors that say what is missing."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mvsam.evaluation.benchmarks.nvos import Nvos
from mvsam.evaluation.benchmarks.scenes import Dataset, DatasetError
from tests.clutter import clutter
from tests.unit.evaluation.benchmarks.pictures import box, photographs, save, truncate, under

SIZE, QUARTER = (48, 64), (12, 16)
INSIDE = box((24, 32), slice(8), slice(16)) > 0
POSITIVE, NEGATIVE = box(QUARTER, slice(3, 6), slice(2, 9)), box(QUARTER, slice(9, 11), slice(11, 15))
FERN = [f"IMG_{number}.JPG" for number in range(4026, 4046)]
REFERENCE, TARGET = "IMG_4038", "IMG_4027"
HORNS = ["DJI_1_1.jpg", "DJI_20200223_163024_597.jpg", "DJI_20200223_163055_437.jpg"]


def annotate(root: Path, task: str, base: str, reference: str, target: str) -> None:
    """What NVOS has of one task."""
    save(root / "reference_image" / task / f"{reference}.JPG", np.zeros((*SIZE, 3), np.uint8))
    save(root / "masks" / task / f"{target}.JPG", np.zeros((*SIZE, 3), np.uint8))
    save(root / "masks" / task / f"{target}_mask.png", np.where(INSIDE, 200, 100).astype(np.uint8))
    save(root / "scribbles" / task / f"pos_0_{base}.png", np.repeat(POSITIVE[..., None], 3, axis=2))
    save(root / "scribbles" / task / f"neg_0_{base}.png", NEGATIVE // 255)
    save(root / "scribbles" / task / f"vis_0_{base}.png", np.zeros((*QUARTER, 3), np.uint8))
    (root / "scribbles" / task / f"._pos_0_{base}.png").write_bytes(b"of macOS")


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    root = tmp_path / "nvos"
    annotate(root, "fern", "fern", REFERENCE, TARGET)
    for task in ("horns_center", "horns_left"):
        annotate(root, task, "horns", Path(HORNS[2]).stem, Path(HORNS[1]).stem)
    return root


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """As in nerf_llff_data."""
    root = tmp_path / "nerf_llff_data"
    photographs(root / "fern" / "images", FERN)
    photographs(root / "horns" / "images", HORNS)
    return root


def test_seven_scenes_unless_others_are_named(annotations: Path, images: Path) -> None:
    dataset: Dataset = Nvos(annotations, images)
    assert dataset.name == "NVOS"
    assert dataset.scenes() == ["fern", "flower", "fortress", "horns_center", "horns_left", "leaves", "trex"]
    assert Nvos(annotations, images, only=Nvos.EXCLUDED).scenes() == ["orchids"]
    with pytest.raises(DatasetError, match=r"no scene horns; .*horns_center"):
        Nvos(annotations, images, only=["horns"]).scenes()
    with pytest.raises(DatasetError, match=r"masks is missing; get it from https://jason718"):
        Nvos(images, images).scenes()


def test_what_lies_beside_photographs_and_masks_is_passed_over(annotations: Path, images: Path) -> None:
    before = Nvos(annotations, images).load("fern")
    clutter(annotations)
    clutter(images)
    after = Nvos(annotations, images).load("fern")
    assert [each.read() for each in after.photographs] == [each.read() for each in before.photographs]
    assert (after.targets[0].clicks, after.targets[0].scored) == (before.targets[0].clicks, before.targets[0].scored)


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("fern/images", FERN),
        ("fern_undistort/images", FERN),
        ("fern/images_4", [f"image{index:03d}.png" for index in range(20)]),
        ("fern/images_8", [name.replace("JPG", "png") for name in FERN]),
    ],
)
def test_views_are_found_in_every_layout(annotations: Path, tmp_path: Path, folder: str, names: list[str]) -> None:
    files = photographs(tmp_path / "images" / folder, names)
    scene = Nvos(annotations, tmp_path / "images").load("fern")
    assert [photograph.name for photograph in scene.photographs] == names
    assert scene.photographs[3].read() == (files / names[3]).read_bytes()
    (target,) = scene.targets
    assert {click.view for click in target.clicks} == {12}  # IMG_4038
    assert target.scored == tuple(target.truth) == (1,)  # IMG_4027


def test_undistorted_photographs_are_preferred(annotations: Path, images: Path) -> None:
    photographs(images / "fern_undistort" / "images", [name.replace("JPG", "png") for name in FERN])
    assert Nvos(annotations, images).load("fern").photographs[0].name == "IMG_4026.png"


def test_truth_is_what_is_brighter_than_half_at_the_masks_own_size(annotations: Path, images: Path) -> None:
    (target,) = Nvos(annotations, images).load("fern").targets
    assert np.array_equal(target.truth[1](), INSIDE)


def test_clicks_lie_on_scribbles_scaled_to_the_photograph(annotations: Path, images: Path) -> None:
    for seed in range(5):
        (target,) = Nvos(annotations, images, seed).load("fern").targets
        assert [click.positive for click in target.clicks] == 8 * [True] + 2 * [False]
        for click in target.clicks:
            assert under(click, POSITIVE if click.positive else NEGATIVE, SIZE)


def test_clicks_are_the_same_in_every_run_and_others_with_another_seed(annotations: Path, images: Path) -> None:
    def clicks(task: str, seed: int = 0) -> object:
        return Nvos(annotations, images, seed).load(task).targets[0].clicks

    assert clicks("horns_left") == clicks("horns_left")
    assert clicks("horns_left") != clicks("horns_left", seed=1)
    assert clicks("horns_left") != clicks("horns_center")


def test_without_images_a_scene_is_its_two_annotated_views(annotations: Path) -> None:
    scene = Nvos(annotations, None).load("fern")
    assert [photograph.name for photograph in scene.photographs] == ["IMG_4027.JPG", "IMG_4038.JPG"]
    (target,) = scene.targets
    assert {click.view for click in target.clicks} == {1} and target.scored == (0,)


def test_a_cut_off_photograph_is_named_when_it_is_read(annotations: Path, images: Path) -> None:
    truncate(images / "fern" / "images" / "IMG_4030.JPG")
    scene = Nvos(annotations, images).load("fern")
    assert scene.photographs[3].read()
    with pytest.raises(DatasetError, match=r"IMG_4030.JPG is a truncated JPEG.*; get it again from .*nerf_llff_data"):
        scene.photographs[4].read()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data, _: truncate(data / "masks/fern/IMG_4027_mask.png"), r"_mask.png is a truncated PNG.*jason718"),
        (lambda data, _: (data / "masks/fern/IMG_4027_mask.png").unlink(), r"masks/fern holds 0 files .*jason718"),
        (lambda data, _: save(data / "masks/fern/IMG_4027_mask.png", np.full((24, 32), 127, np.uint8)), "brighter"),
        (lambda data, _: save(data / "masks/fern/IMG_4027_mask.png", POSITIVE.T), r"12x16, its photograph .* 64x48"),
        (lambda data, _: truncate(data / "scribbles/fern/pos_0_fern.png"), r"pos_0_fern.png is a truncated PNG"),
        (lambda data, _: save(data / "scribbles/fern/neg_0_fern.png", 0 * NEGATIVE), r"neg_0_fern.png: .*no pixel"),
        (lambda data, _: (data / "scribbles/fern/neg_0_fern.png").unlink(), r"scribbles/fern holds 0 files neg_"),
        (lambda data, _: shutil.rmtree(data / "reference_image/fern"), r"reference_image/fern: No such file.*jason718"),
        (
            lambda data, _: save(data / "reference_image/fern/IMG_1.JPG", np.zeros((*SIZE, 3), np.uint8)),
            r"reference_image/fern holds 2 files",
        ),
        (lambda _, images: shutil.rmtree(images / "fern"), r"fern_undistort or fern with a folder .*nerf_llff_data"),
        (lambda _, images: (images / "fern/images/IMG_4038.JPG").unlink(), "IMG_4038 or the target IMG_4027"),
        (lambda _, images: (images / "fern/images/IMG_4027.JPG").unlink(), "IMG_4038 or the target IMG_4027"),
        (
            lambda _, images: (images / "fern/images/IMG_4038.JPG").write_bytes(b"<html>"),
            r"IMG_4038.JPG is in an unknown picture format; get it again from",
        ),
        (
            lambda _, images: save(images / "fern/images/IMG_4038.png", np.zeros((*SIZE, 3), np.uint8)),
            r"IMG_4038.png and IMG_4038.JPG share a stem",
        ),
    ],
)
def test_what_is_missing_or_damaged_is_named_with_where_to_get_it(
    annotations: Path, images: Path, spoil: Callable[[Path, Path], object], message: str
) -> None:
    assert Nvos(annotations, images).load("fern")
    spoil(annotations, images)
    with pytest.raises(DatasetError, match=message):
        Nvos(annotations, images).load("fern")


def test_numbered_copies_that_are_not_all_there_are_not_guessed_at(annotations: Path, tmp_path: Path) -> None:
    photographs(tmp_path / "images/fern/images_4", [f"image{index:03d}.png" for index in range(19)])
    with pytest.raises(DatasetError, match=r"IMG_4038 or the target IMG_4027 among 19 photographs"):
        Nvos(annotations, tmp_path / "images").load("fern")


@pytest.mark.skipif("MVSAM_DATA" not in os.environ, reason="MVSAM_DATA does not name a folder of real data")
def test_the_real_layout_is_read() -> None:
    data = Path(os.environ["MVSAM_DATA"]) / "layout_nvos_like"
    dataset = Nvos(data, None, only=["flower"])
    scene = dataset.load(*dataset.scenes())
    assert [photograph.name for photograph in scene.photographs] == ["IMG_2962.JPG", "IMG_2983.JPG"]
    (target,) = scene.targets
    mask = target.truth[0]()
    assert mask.shape == (756, 1008) and 0 < mask.mean() < 0.5
    assert len(target.clicks) == 10 and {click.view for click in target.clicks} == {1}
