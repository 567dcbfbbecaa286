"""SA-1B: whatever is damaged is counted and passed over, and an epoch's order is exact."""

from pathlib import Path

import numpy as np
import pytest

from mvsam.training.example import Example, Part
from mvsam.training.sa1b import Sa1b, Selection
from mvsam.training.skipped import Cause, Skipped
from tests.clutter import clutter
from tests.unit.training.sa1b_files import (
    annotation,
    coco_counts,
    damaged_files,
    discs,
    jpg,
    record,
    sa1b_files,
    write_folder,
    write_tar,
)

SIZE = (48, 64)


def keys(examples: list[Example]) -> list[str]:
    return [example.key.rpartition("/")[2] for example in examples]


@pytest.fixture(scope="module")
def tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tar(tmp_path_factory.mktemp("tar") / "sa_000000.tar", sa1b_files(range(12)))


@pytest.mark.parametrize("kind", ["tar", "folder"])
def test_damage_is_survived_and_counted(tmp_path: Path, kind: str) -> None:
    write = write_tar if kind == "tar" else write_folder
    data = Sa1b.open(write(tmp_path / "sa_000000.tar", damaged_files()))
    assert sorted(keys(list(data.examples()))) == ["sa_0", "sa_1", "sa_2", "sa_5"]
    assert dict(data.skipped.counts) == {
        Cause.BAD_PHOTOGRAPH: 1,
        Cause.BAD_ANNOTATIONS: 2,
        Cause.BAD_MASK: 2 + 3,
        Cause.MASK_SIZE: 2,
        Cause.NO_MASK: 2,
        Cause.NO_PHOTOGRAPH: 1,
        Cause.NO_ANNOTATIONS: 1,
    }
    assert "1 × damaged or truncated jpg (first sa_000000/sa_3)" in str(data.skipped)


def test_masks_that_are_left_of_a_damaged_json_are_used(tmp_path: Path) -> None:
    data = Sa1b.open(write_folder(tmp_path / "folder", damaged_files()))
    (example,) = (example for example in data.examples() if example.key == "folder/sa_5")
    np.testing.assert_array_equal(example.masks, discs(5, SIZE, 3)[1][2:])


@pytest.mark.parametrize(
    "damage", ["cut in a member", "cut at a header", "overwritten header", "no tar at all", "empty"]
)
def test_a_broken_tar_gives_what_comes_before_the_damage(tmp_path: Path, damage: str) -> None:
    path = write_tar(tmp_path / "sa_000000.tar", sa1b_files(range(12)))
    whole = path.read_bytes()
    third = len(whole) * 2 // 3
    header = whole.index(b"./sa_", third)
    path.write_bytes(
        {
            "cut in a member": whole[: header + 700],
            "cut at a header": whole[:header],
            "overwritten header": whole[:header] + b"\x55" * 512 + whole[header + 512 :],
            "no tar at all": b"<html>Not found</html>",
            "empty": b"",
        }[damage]
    )
    second = write_tar(tmp_path / "sa_000001.tar", sa1b_files(range(20, 24)))
    data = Sa1b.open(path, second)
    found = keys(list(data.examples()))
    assert {"sa_20", "sa_21", "sa_22", "sa_23"} <= set(found)
    assert len(found) > 4 or damage in ("no tar at all", "empty")
    assert data.skipped.counts[Cause.BROKEN_TAR] == 1


def test_a_file_that_vanishes_is_counted(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", sa1b_files(range(30)))
    data = Sa1b.open(folder, threads=1)
    examples = data.examples()
    next(examples)
    for path in folder.iterdir():
        path.unlink()
    rest = len(list(examples))
    assert data.skipped.counts == {Cause.UNREADABLE: 29 - rest}
    assert rest < 10


def test_examples_hold_the_photograph_and_its_masks(tar: Path) -> None:
    for example in Sa1b.open(tar).examples():
        photograph, masks = discs(int(example.key.rpartition("_")[2]), SIZE, 3)
        assert np.abs(example.photographs[0].astype(int) - photograph).mean() < 12  # JPEG
        assert {mask.tobytes() for mask in example.masks} == {mask.tobytes() for mask in masks}
        assert example.geometry is None


def test_a_folder_gives_the_same_examples_as_a_tar(tar: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "sa_000000", sa1b_files(range(12)))
    selection = Selection(most=2)
    for one, other in zip(
        Sa1b.open(tar, selection=selection).examples(),
        Sa1b.open(folder, selection=selection).examples(),
        strict=True,
    ):
        assert (one.key, one.place) == (other.key, other.place)
        np.testing.assert_array_equal(one.photographs[0], other.photographs[0])
        np.testing.assert_array_equal(one.masks, other.masks)


@pytest.mark.parametrize("ending", [".jpg", ".JPG", ".jpeg", ".JPEG"])
def test_what_lies_beside_shards_is_passed_over(tmp_path: Path, ending: str) -> None:
    files = {name.replace(".jpg", ending): content for name, content in sa1b_files(range(4)).items()}
    write_tar(tmp_path / "sa_000000.tar", files)
    write_folder(tmp_path / "sa_000001", files)
    before = keys(list(Sa1b.open(tmp_path).examples()))
    assert len(before) == 8
    clutter(tmp_path)
    data = Sa1b.open(tmp_path)
    assert keys(list(data.examples())) == before
    assert data.skipped == Skipped()


def test_the_order_is_that_of_seed_and_epoch(tar: Path) -> None:
    order = keys(list(Sa1b.open(tar).examples(epoch=1)))
    assert keys(list(Sa1b.open(tar, threads=5).examples(epoch=1))) == order
    for other in (Sa1b.open(tar).examples(epoch=2), Sa1b.open(tar, seed=1).examples(epoch=0)):
        others = keys(list(other))
        assert others != order
        assert sorted(others) == sorted(order)


def test_shards_are_mixed(tmp_path: Path) -> None:
    for shard in range(4):
        write_tar(tmp_path / f"sa_00000{shard}.tar", sa1b_files(range(10 * shard, 10 * shard + 8)))
    found = [example.key.partition("/")[0] for example in Sa1b.open(tmp_path).examples()]
    assert len(found) == 32
    assert len(set(found[:8])) > 1


def test_ranks_share_an_epoch_exactly(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "sa_000000.tar", damaged_files())
    alone = Sa1b.open(tar)
    together = [Sa1b.open(tar, part=Part(rank, 2)) for rank in range(2)]
    parts = [list(data.examples(epoch=3)) for data in together]
    whole = list(alone.examples(epoch=3))
    assert sorted(keys(parts[0]) + keys(parts[1])) == sorted(keys(whole))
    merged = sorted(parts[0] + parts[1], key=lambda example: example.place)
    assert keys(merged) == keys(whole)
    assert together[0].skipped.counts + together[1].skipped.counts == alone.skipped.counts


@pytest.mark.parametrize("part", [Part(), Part(1, 2)])
def test_a_run_resumes_after_the_example_it_used_last(tmp_path: Path, part: Part) -> None:
    tar = write_tar(tmp_path / "sa_000000.tar", sa1b_files(range(20, 30)) | damaged_files())
    whole = list(Sa1b.open(tar, part=part).examples())
    for used in range(1, len(whole)):
        resumed = Sa1b.open(tar, part=part).examples(start=whole[used - 1].place + 1)
        for one, other in zip(whole[used:], resumed, strict=True):
            assert (one.key, one.place) == (other.key, other.place)
            np.testing.assert_array_equal(one.masks, other.masks)


def test_only_examples_whose_turn_came_are_counted(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "sa_000000.tar", damaged_files())
    whole = Sa1b.open(tar)
    places = [example.place for example in whole.examples()]
    data = Sa1b.open(tar)
    examples = data.examples()
    next(examples)
    examples.close()
    rest = Sa1b.open(tar)
    list(rest.examples(start=places[0] + 1))
    assert data.skipped.counts + rest.skipped.counts == whole.skipped.counts


def test_masks_are_selected(tmp_path: Path) -> None:
    size = (100, 100)
    masks = np.zeros((5, *size), bool)
    for place, side in enumerate((1, 3, 20, 30, 40)):
        masks[place, :side, :side] = True
    content = {"sa_1.jpg": jpg(np.zeros((*size, 3), np.uint8))}
    nothing = coco_counts(np.zeros(size, bool)).decode("ascii")
    empty = annotation(masks[0], 9) | {"segmentation": {"size": list(size), "counts": nothing}}
    content["sa_1.json"] = record(1, size, [empty, *(annotation(mask, k) for k, mask in enumerate(masks))])
    folder = write_folder(tmp_path / "folder", content)

    def areas(epoch: int = 0, **options: float) -> list[int]:
        selection = Selection(**{"least_area": 0.0, **options})  # type: ignore[arg-type]
        data = Sa1b.open(folder, selection=selection)
        (example,) = data.examples(epoch)
        assert data.skipped == Skipped()
        return example.masks.sum((1, 2)).tolist()

    assert sorted(areas()) == [1, 9, 400, 900, 1600]
    assert sorted(areas(least_area=0.0009)) == [9, 400, 900, 1600]
    assert sorted(areas(least_area=0.01)) == [400, 900, 1600]
    assert areas(most=2) == areas(most=2)
    assert {area for epoch in range(20) for area in areas(epoch, most=2)} == {1, 9, 400, 900, 1600}


def test_a_photograph_of_too_many_pixels_is_never_decoded(tar: Path) -> None:
    data = Sa1b.open(tar, max_pixels=48 * 64 - 1)
    assert not list(data.examples())
    assert data.skipped.counts == {Cause.TOO_LARGE: 12}


def test_files_of_other_kinds_are_no_members(tmp_path: Path) -> None:
    files = sa1b_files([1]) | {"LICENSE.txt": b"", "._sa_1.jpg": b"", "sa_images_ids.txt": b"1"}
    data = Sa1b.open(write_tar(tmp_path / "sa_000000.tar", files))
    assert len(list(data.examples())) == 1
    assert data.skipped == Skipped()
    assert str(data.skipped) == "nothing skipped"


def test_what_is_held_out_is_not_trained_on(tmp_path: Path) -> None:
    for shard in range(3):
        write_tar(tmp_path / f"sa_00000{shard}.tar", sa1b_files(range(10 * shard, 10 * shard + 2)))
    held_out = Sa1b.open(tmp_path / "sa_000001.tar")
    rest = Sa1b.open(tmp_path).without(held_out)
    assert sorted(keys(list(rest.examples()))) == ["sa_0", "sa_1", "sa_20", "sa_21"]
    assert rest.count_photographs() == 4
    with pytest.raises(ValueError, match="every shard is held out"):
        held_out.without(Sa1b.open(tmp_path))


def test_a_path_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds neither tar files nor jpg and json files; give SA-1B's tar shards"):
        Sa1b.open(tmp_path)
    with pytest.raises(ValueError, match="nowhere does not exist; give SA-1B's tar shards"):
        Sa1b.open(tmp_path / "nowhere")


def test_a_part_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="part 2 of 2; give an index from 0 to 1"):
        Part(2, 2)
