"""uCo3D as it lies on disk: which sequences and frames are asked about, what a frame shows, what is refused."""

import shutil
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mvsam.evaluation.benchmarks.film import Film
from mvsam.evaluation.benchmarks.scenes import DatasetError
from mvsam.evaluation.benchmarks.uco3d import UCo3D

HEIGHT, WIDTH = 48, 64
FRAMES, RATE = 40, 20.0
ANNOTATED = range(0, FRAMES, 2)
SEQUENCES = tuple(f"1-{number}-64" for number in range(8))
SEQUENCE = SEQUENCES[3]
FOLDER = f"fruits/apple/{SEQUENCE}"
HOME = r"github\.com/facebookresearch/uco3d"
COLUMNS = """sequence_name VARCHAR, frame_number INTEGER, frame_timestamp FLOAT, _image_path VARCHAR, _image_size BLOB,
    _depth_path VARCHAR, _mask_path VARCHAR, _mask_mass FLOAT, PRIMARY KEY (sequence_name, frame_number)"""


def object_in(number: int) -> np.ndarray:
    """A square that wanders to the right, a pixel a frame."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20:36, number : number + 16] = True
    return mask


def write_video(path: Path, codec: str, frames: list[np.ndarray]) -> None:
    fourcc: int = cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, RATE, frames[0].shape[1::-1])
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()


def probabilities(number: int) -> np.ndarray:
    """The mask video: sure inside, unsure around it."""
    soft = cv2.dilate(object_in(number).astype(np.uint8), np.ones((9, 9), np.uint8)) * 100
    soft[object_in(number)] = 200
    return np.repeat(soft[..., None], 3, 2)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    photographs = [
        np.where(object_in(number)[..., None], (250, 250, 250), (40, 40, 40)).astype(np.uint8)
        for number in range(FRAMES)
    ]
    write_video(folder / "rgb_video.mp4", "mp4v", photographs)
    write_video(folder / "mask_video.mkv", "FFV1", [probabilities(number) for number in range(FRAMES)])
    return folder


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory, videos: Path) -> Path:
    """All sequences in the tables and the videos of one."""
    found = tmp_path_factory.mktemp("download")
    shutil.copytree(videos, found / FOLDER)
    (found / "set_lists").mkdir()
    with closing(sqlite3.connect(found / "set_lists/set_lists_small.sqlite")) as lists:
        lists.execute("CREATE TABLE set_lists (sequence_name TEXT, frame_number BIGINT, subset TEXT)")
        rows = [
            (name, number, "val" if index % 4 == 0 else "train")
            for index, name in enumerate(reversed(SEQUENCES))
            for number in ANNOTATED
        ]
        lists.executemany("INSERT INTO set_lists VALUES (?, ?, ?)", rows)
        lists.commit()
    with closing(sqlite3.connect(found / "metadata.sqlite")) as tables:
        tables.execute(f"CREATE TABLE frame_annots ({COLUMNS})")
        tables.execute(
            "CREATE TABLE sequence_annots (sequence_name VARCHAR PRIMARY KEY, category VARCHAR, super_category VARCHAR,"
            " _video_path VARCHAR, _mask_video_path VARCHAR)"
        )
        for name in SEQUENCES:
            folder = f"fruits/apple/{name}"
            tables.execute(
                "INSERT INTO sequence_annots VALUES (?, 'apple', 'fruits', ?, ?)",
                (name, f"{folder}/rgb_video.mp4", f"{folder}/mask_video.mkv"),
            )
            tables.executemany(
                "INSERT INTO frame_annots VALUES (?, ?, ?, ?, ?, NULL, NULL, 256.0)",
                [
                    (name, number, number / RATE, f"{folder}/images/{number}.jpg", struct.pack("<2i", HEIGHT, WIDTH))
                    for number in reversed(ANNOTATED)
                ],
            )
        tables.commit()
    return found


@pytest.fixture
def root(tmp_path: Path, download: Path) -> Path:
    """A download of the test's own."""
    return shutil.copytree(download, tmp_path / "uco3d")


def change(path: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement, values)
        database.commit()


def test_sequences_are_drawn_by_the_seed(root: Path) -> None:
    assert list(UCo3D(root, "small").scenes()) == list(SEQUENCES)
    drawn = [tuple(UCo3D(root, "small", sequences=3, seed=seed).scenes()) for seed in range(5)]
    assert drawn == [tuple(UCo3D(root, "small", sequences=3, seed=seed).scenes()) for seed in range(5)]
    assert len(set(drawn)) > 1
    assert all(len(set(names)) == 3 and sorted(names) == list(names) for names in drawn)


def test_frames_lie_at_equal_distances_among_the_annotated_ones(root: Path) -> None:
    def names(frames: int) -> list[str]:
        return [each.name for each in UCo3D(root, "small", frames=frames).load(SEQUENCE).photographs]

    assert names(5) == ["000000.png", "000010.png", "000020.png", "000028.png", "000038.png"]
    assert names(50) == [f"{number:06d}.png" for number in ANNOTATED]


def test_photographs_and_masks_are_of_the_same_moment(root: Path) -> None:
    scene = UCo3D(root, "small", frames=7).load(SEQUENCE)
    (target,) = scene.targets
    assert target.scored == tuple(range(7))
    for view in reversed(range(7)):
        photograph = scene.photographs[view]
        picture = cv2.imdecode(np.frombuffer(photograph.read(), np.uint8), cv2.IMREAD_COLOR)
        exact = object_in(int(Path(photograph.name).stem))
        for found in (picture[..., 1] > 145, target.truth[view]()):  # one frame off, the IoU would be 0.88
            assert found.dtype == bool and (found & exact).sum() > 0.95 * (found | exact).sum()


def test_photographs_lose_nothing(root: Path) -> None:
    photographs = UCo3D(root, "small", frames=4).load(SEQUENCE).photographs
    capture = cv2.VideoCapture(str(root / FOLDER / "rgb_video.mp4"))
    frames = [capture.read()[1] for _ in range(FRAMES)]
    capture.release()
    for photograph in photographs:
        decoded = cv2.imdecode(np.frombuffer(photograph.read(), np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(decoded, frames[int(Path(photograph.name).stem)])


@pytest.mark.parametrize("name", ["rgb_video.mp4", "mask_video.mkv"])
def test_frames_are_those_that_seeking_finds(videos: Path, name: str) -> None:
    """The official loader seeks to each timestamp."""
    times = [number / RATE for number in (0, 1, 2, 11, 12, 13, 26, 39)]
    capture = cv2.VideoCapture(str(videos / name))
    for time, frame in zip(times, Film.open(videos / name, "nowhere").frames(times), strict=True):
        capture.set(cv2.CAP_PROP_POS_MSEC, 1000 * time)
        assert np.array_equal(frame, capture.read()[1]), time
    capture.release()


def test_clicks_lie_on_the_object_and_beside_it_in_several_views(root: Path) -> None:
    (target,) = UCo3D(root, "small").load(SEQUENCE).targets
    assert [click.positive for click in target.clicks] == [True] * 10 + [False] * 2
    for view, x, y, positive in target.clicks:
        assert target.truth[view]()[int(y), int(x)] == positive
    assert len({click.view for click in target.clicks}) > 2
    (again,) = UCo3D(root, "small").load(SEQUENCE).targets
    (other,) = UCo3D(root, "small", seed=1).load(SEQUENCE).targets
    assert target.clicks == again.clicks != other.clicks


@pytest.mark.parametrize("missing", ["metadata.sqlite", f"{FOLDER}/rgb_video.mp4", f"{FOLDER}/mask_video.mkv"])
def test_what_is_missing_is_named_with_where_to_get_it(root: Path, missing: str) -> None:
    (root / missing).unlink()
    with pytest.raises(DatasetError, match=f"{missing} is missing.*{HOME}"):
        UCo3D(root, "small").load(SEQUENCE)


def test_a_missing_set_list_is_named_with_those_that_are_there(root: Path) -> None:
    with pytest.raises(DatasetError, match=f"set_lists_all.sqlite is missing.*small.*{HOME}"):
        UCo3D(root, "all").scenes()


def test_an_unknown_sequence_is_refused(root: Path) -> None:
    with pytest.raises(DatasetError, match="no annotations of the sequence 9-9-9"):
        UCo3D(root, "small").load("9-9-9")


@pytest.mark.parametrize("table", ["frame_annots", "sequence_annots"])
def test_a_missing_table_is_refused(root: Path, table: str) -> None:
    change(root / "metadata.sqlite", f"DROP TABLE {table}")
    with pytest.raises(DatasetError, match=f"metadata.sqlite.*{table}.*{HOME}"):
        UCo3D(root, "small").load(SEQUENCE)


def test_a_set_list_without_its_table_is_refused(root: Path) -> None:
    change(root / "set_lists/set_lists_small.sqlite", "DROP TABLE set_lists")
    with pytest.raises(DatasetError, match=f"set_lists_small.sqlite.*{HOME}"):
        UCo3D(root, "small").scenes()


def test_a_file_that_is_no_database_is_refused(root: Path) -> None:
    (root / "metadata.sqlite").write_bytes(b"version https://git-lfs.github.com/spec/v1\n" * 100)
    with pytest.raises(DatasetError, match=f"metadata.sqlite.*not a database.*{HOME}"):
        UCo3D(root, "small").load(SEQUENCE)


@pytest.mark.parametrize("column", ["_video_path", "_mask_video_path"])
@pytest.mark.parametrize("where", [lambda path: f"fruits/../../{path.name}", str])
def test_paths_do_not_leave_the_root(root: Path, column: str, where: Callable[[Path], str]) -> None:
    outside = root.parent / "video.mp4"
    shutil.copy(root / FOLDER / "rgb_video.mp4", outside)
    change(root / "metadata.sqlite", f"UPDATE sequence_annots SET {column} = ?", where(outside))
    with pytest.raises(DatasetError, match=r"video\.mp4 leads out of"):
        UCo3D(root, "small").load(SEQUENCE)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sequence_annots SET _video_path = NULL",
        "UPDATE sequence_annots SET _mask_video_path = x'00'",
        "UPDATE frame_annots SET _image_size = NULL WHERE frame_number = 8",
        "UPDATE frame_annots SET _image_size = x'3000' WHERE frame_number = 8",
        "UPDATE frame_annots SET frame_timestamp = NULL WHERE frame_number = 8",
        "UPDATE frame_annots SET frame_timestamp = -1.0 WHERE frame_number = 8",
        "UPDATE frame_annots SET frame_timestamp = 'soon' WHERE frame_number = 8",
    ],
)
def test_damaged_annotations_are_refused(root: Path, statement: str) -> None:
    change(root / "metadata.sqlite", statement)
    with pytest.raises(DatasetError, match=f"metadata.sqlite, sequence {SEQUENCE}.*{HOME}"):
        UCo3D(root, "small").load(SEQUENCE)


def test_videos_of_another_size_than_annotated_are_refused(root: Path) -> None:
    write_video(root / FOLDER / "mask_video.mkv", "FFV1", [np.zeros((WIDTH, HEIGHT, 3), np.uint8)] * 3)
    with pytest.raises(DatasetError, match=r"mask_video\.mkv is 48x64.*64x48"):
        UCo3D(root, "small").load(SEQUENCE)


@pytest.mark.parametrize("name", ["rgb_video.mp4", "mask_video.mkv"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.6])
def test_truncated_videos_are_refused(root: Path, name: str, kept: float) -> None:
    path = root / FOLDER / name
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(DatasetError, match=f"{name}.*{HOME}"):
        UCo3D(root, "small").load(SEQUENCE)


def test_a_video_that_ends_before_its_last_frame_is_refused(root: Path) -> None:
    write_video(root / FOLDER / "rgb_video.mp4", "mp4v", [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 30)
    scene = UCo3D(root, "small").load(SEQUENCE)
    with pytest.raises(DatasetError, match=r"rgb_video\.mp4 breaks off before 1\.500 s"):
        scene.photographs[0].read()


def test_a_playlist_is_not_followed(root: Path) -> None:
    path = root / FOLDER / "mask_video.mkv"
    path.rename(root / "other.mkv")
    path.write_text(f"#EXTM3U\n#EXTINF:2.0,\n{root / 'other.mkv'}\n#EXT-X-ENDLIST\n")
    with pytest.raises(DatasetError, match=r"mask_video\.mkv is neither"):
        UCo3D(root, "small").load(SEQUENCE)


def test_masks_without_the_object_are_refused(root: Path) -> None:
    write_video(root / FOLDER / "mask_video.mkv", "FFV1", [np.full((HEIGHT, WIDTH, 3), 100, np.uint8)] * FRAMES)
    with pytest.raises(DatasetError, match=r"mask_video\.mkv: no view shows the object"):
        UCo3D(root, "small").load(SEQUENCE)
