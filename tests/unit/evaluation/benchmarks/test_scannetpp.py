"""ScanNet++ as it lies on disk: which frames and objects are asked about, where clicks are, what is refused."""

import json
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from mvsam.evaluation.benchmarks.scannetpp import ScanNetPP
from mvsam.evaluation.benchmarks.scannetpp_ids import read_ids
from mvsam.evaluation.benchmarks.scenes import DatasetError, Target
from mvsam.pipeline.headers import read_header

SCENE = "7b6477cb95"
HEIGHT, WIDTH = 40, 50  # of the ids: 2 pixels are 0.1 %
VIEWS = 6
WALL, CHAIR, MUG, REMOVED, BOOK, LAMP, NAMELESS = range(1, 8)
LABELS = {WALL: "Wall", CHAIR: "office chair", MUG: "mug", REMOVED: "REMOVE", BOOK: "book", LAMP: "lamp", NAMELESS: ""}


def ids_of(view: int) -> np.ndarray:
    """The chair is whole in four views, a single pixel in the fifth, away in the sixth."""
    ids = np.zeros((HEIGHT, WIDTH), np.int64)
    ids[:10] = WALL
    ids[10:13] = REMOVED
    ids[35:, :10] = NAMELESS
    ids[-1, -1] = -1
    if view < 4:
        ids[20:25, 5 + view : 15 + view] = CHAIR
    elif view == 4:
        ids[20, 5] = CHAIR
    ids[30, 20 : 22 if view < 2 else 21] = MUG  # exactly the share that counts in two views, half of it in the others
    if view == 0:
        ids[15:19, 40:] = BOOK
    ids[25:29, 40:] = LAMP
    return ids


def write_photograph(path: Path, height: int = 2 * HEIGHT, width: int = 2 * WIDTH) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", np.full((height, width, 3), 127, np.uint8))[1].tobytes())


def write_scene(folder: Path, views: int = VIEWS) -> None:
    """A scene with one photograph more than there are ids of."""
    (folder / "splits").mkdir(parents=True)
    (folder / "splits/nvs_sem_val.txt").write_text(f"{SCENE}\n09c1414f1b\n\n", encoding="utf-8-sig")
    scans = folder / "data" / SCENE / "scans"
    scans.mkdir(parents=True)
    groups = [
        {"id": number, "objectId": number, "label": label, "segments": [0, 1], "obb": {}}
        for number, label in LABELS.items()
    ]
    (scans / "segments_anno.json").write_text(json.dumps({"sceneId": SCENE, "segGroups": groups}))
    for view in range(views + 1):
        write_photograph(folder / "data" / SCENE / f"dslr/resized_images/DSC{view:05d}.JPG")
    for view in reversed(range(views)):
        path = folder / "masks/obj_ids" / SCENE / f"DSC{view:05d}.JPG.pth"
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(ids_of(view), path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_scene(tmp_path)
    return tmp_path


def dataset(folder: Path, **options: Any) -> ScanNetPP:
    return ScanNetPP(folder, folder / "masks", **options)


def target(folder: Path, number: int) -> Target:
    (found,) = (each for each in dataset(folder).load(SCENE).targets if each.name.startswith(f"{number} "))
    return found


def test_scenes_are_those_of_the_split(folder: Path) -> None:
    assert dataset(folder).scenes() == [SCENE, "09c1414f1b"]
    with pytest.raises(DatasetError, match=r"nvs_test\.txt.*kaldir"):
        dataset(folder, split="nvs_test").scenes()


def test_a_view_counts_where_the_object_is_large_enough_or_away(folder: Path) -> None:
    chair = target(folder, CHAIR)
    assert chair.name == "2 office chair"
    assert chair.scored == (0, 1, 2, 3, 5)
    for view in chair.scored:
        assert np.array_equal(chair.truth[view](), ids_of(view) == CHAIR)
    assert target(folder, MUG).scored == (0, 1)


def test_objects_are_no_walls_and_seen_more_than_once(folder: Path) -> None:
    assert [each.name for each in dataset(folder).load(SCENE).targets] == ["2 office chair", "3 mug", "6 lamp"]


def test_objects_are_drawn_by_the_seed(folder: Path) -> None:
    def drawn(seed: int) -> list[str]:
        return [each.name for each in dataset(folder, objects=1, seed=seed).load(SCENE).targets]

    found = [drawn(seed) for seed in range(8)]
    assert found == [drawn(seed) for seed in range(8)]
    assert all(len(names) == 1 for names in found) and len({names[0] for names in found}) > 1


def test_clicks_lie_on_the_object_and_beside_it_in_several_views(folder: Path) -> None:
    scene = dataset(folder).load(SCENE)
    height, width = read_header(scene.photographs[0].read(), "").size
    for each in scene.targets:
        number = int(each.name.split()[0])
        assert [click.positive for click in each.clicks] == [True] * 10 + [False] * 2
        for view, x, y, positive in each.clicks:
            row, column = int((y + 0.5) * HEIGHT / height), int((x + 0.5) * WIDTH / width)
            assert (ids_of(view)[row, column] == number) == positive
            assert (ids_of(view) == number).mean() >= 0.001
        assert len({click.view for click in each.clicks}) > 1


def test_frames_lie_at_equal_distances_among_those_with_ids(tmp_path: Path) -> None:
    write_scene(tmp_path, views=11)
    (tmp_path / "masks/obj_ids" / SCENE / "._DSC00000.JPG.pth").write_bytes(b"of macOS")

    def names(frames: int) -> list[str]:
        return [each.name for each in dataset(tmp_path, frames=frames).load(SCENE).photographs]

    assert names(3) == ["DSC00000.JPG", "DSC00005.JPG", "DSC00010.JPG"]
    assert names(100) == [f"DSC{view:05d}.JPG" for view in range(11)]


def test_undistorted_photographs_come_first(folder: Path) -> None:
    for view in range(VIEWS):
        write_photograph(folder / "masks/undistorted" / SCENE / f"DSC{view:05d}.JPG.jpg")
    assert dataset(folder).load(SCENE).photographs[1].name == "DSC00001.JPG.jpg"
    (folder / "masks/undistorted").rename(folder / "elsewhere")
    assert dataset(folder).load(SCENE).photographs[1].name == "DSC00001.JPG"
    found = dataset(folder, undistorted=folder / "elsewhere").load(SCENE)
    assert found.photographs[1].name == "DSC00001.JPG.jpg"


def test_some_undistorted_photographs_are_not_mixed_with_the_fisheyes(folder: Path) -> None:
    write_photograph(folder / "masks/undistorted" / SCENE / "DSC00000.JPG.jpg")
    with pytest.raises(DatasetError, match=r"DSC00001\.JPG\.jpg.*save_undistorted_images"):
        dataset(folder).load(SCENE)


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        (f"data/{SCENE}/scans/segments_anno.json", "kaldir"),
        (f"data/{SCENE}/dslr/resized_images/DSC00003.JPG", "kaldir"),
        ("masks", r"obj_ids.*github\.com/scannetpp"),
    ],
)
def test_what_is_missing_is_named_with_where_to_get_it(folder: Path, missing: str, named: str) -> None:
    (folder / missing).rename(folder / "taken")
    with pytest.raises(DatasetError, match=f"{Path(missing).name}.*{named}"):
        dataset(folder).load(SCENE)


def test_ids_of_another_picture_are_refused(folder: Path) -> None:
    write_photograph(folder / "data" / SCENE / "dslr/resized_images/DSC00002.JPG", height=WIDTH, width=HEIGHT)
    with pytest.raises(DatasetError, match=r"DSC00002.*50x40.*40x50"):
        dataset(folder).load(SCENE)


@pytest.mark.parametrize(
    "content",
    [
        b'{"segGroups": [',
        b"[]",
        b'{"segGroups": [{"objectId": 3}]}',
        b'{"segGroups": [{"objectId": 1e9, "label": "mug"}]}',
        b'{"segGroups": [{"objectId": 1000000000000, "label": "mug"}]}',
    ],
)
def test_damaged_labels_are_refused(folder: Path, content: bytes) -> None:
    (folder / "data" / SCENE / "scans/segments_anno.json").write_bytes(content)
    with pytest.raises(DatasetError, match=r"segments_anno\.json.*kaldir"):
        dataset(folder).load(SCENE)


def test_a_scene_without_objects_is_refused(folder: Path) -> None:
    for path in (folder / "masks/obj_ids" / SCENE).iterdir():
        torch.save(np.full((HEIGHT, WIDTH), WALL), path)
    with pytest.raises(DatasetError, match=f"{SCENE} shows no object"):
        dataset(folder).load(SCENE)


def save_npy(ids: Any, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, ids, allow_pickle=True)


def save_legacy(ids: Any, path: Path) -> None:
    torch.save(ids, path, _use_new_zipfile_serialization=False)


def save_like_numpy_2(ids: Any, path: Path) -> None:
    save_legacy(ids, path)
    old, new = b"cnumpy.core.multiarray\n", b"cnumpy._core.multiarray\n"
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))


@pytest.mark.parametrize("save", [torch.save, save_legacy, save_like_numpy_2, save_npy])
@pytest.mark.parametrize("kind", ["int16", "int32", "int64", "uint8", "uint64"])
def test_ids_are_read_as_they_were_saved(tmp_path: Path, save: Callable[[Any, Path], None], kind: str) -> None:
    ids = np.arange(12).reshape(3, 4).astype(kind)
    save(ids, tmp_path / "ids.pth")
    assert np.array_equal(read_ids(tmp_path / "ids.pth"), ids)


@pytest.mark.parametrize("save", [torch.save, save_legacy])
def test_ids_may_be_tensors(tmp_path: Path, save: Callable[[Any, Path], None]) -> None:
    ids = torch.arange(12).reshape(3, 4) - 1
    save(ids, tmp_path / "ids.pth")
    assert np.array_equal(read_ids(tmp_path / "ids.pth"), ids.numpy())


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self._folder,)


def save_pickle(ids: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(ids))


@pytest.mark.parametrize("save", [torch.save, save_legacy, save_npy, save_pickle])
@pytest.mark.parametrize("wrap", [lambda runs: runs, lambda runs: np.array([[runs]], object)])
def test_code_in_a_file_is_refused_without_running_it(
    tmp_path: Path, save: Callable[[Any, Path], None], wrap: Callable[[Runs], Any]
) -> None:
    save(wrap(Runs(tmp_path / "made")), tmp_path / "ids.pth")
    with pytest.raises(DatasetError, match=r"ids\.pth.*github\.com/scannetpp"):
        read_ids(tmp_path / "ids.pth")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"pix_to_face": torch.zeros(3, 4)}, "holds a dict"),
        (torch.zeros(3, 4), "float32"),
        (torch.zeros(3, 4, 1, dtype=torch.int64), "[3, 4, 1]"),
        (torch.zeros(0, 4, dtype=torch.int64), "[0, 4]"),
        (torch.zeros(1, dtype=torch.int64).expand(100_000, 100_000), "[100000, 100000]"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: Any, said: str) -> None:
    torch.save(content, tmp_path / "ids.pth")
    with pytest.raises(DatasetError, match=rf"ids\.pth.*{re.escape(said)}"):
        read_ids(tmp_path / "ids.pth")


@pytest.mark.parametrize("save", [torch.save, save_legacy, save_npy])
@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_truncated_files_are_refused(tmp_path: Path, save: Callable[[Any, Path], None], kept: int) -> None:
    path = tmp_path / "ids.pth"
    save(np.zeros((30, 40), np.int64), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DatasetError, match=r"ids\.pth"):
        read_ids(path)


def test_a_header_that_lies_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "ids.pth"
    save_npy(np.zeros((30, 40), np.int64), path)
    path.write_bytes(path.read_bytes().replace(b"(30, 40), }    ", b"(3000000, 4000)"[:15]))
    with pytest.raises(DatasetError, match=r"ids\.pth"):
        read_ids(path)
