"""uCo3D's tables: sequences of a set list, annotated frames of a sequence, and where its videos are."""

import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvsam.evaluation.benchmarks.scenes import DatasetError

SOURCE = "https://github.com/facebookresearch/uco3d"
METADATA = "metadata.sqlite"
_SIZE = struct.Struct("<2i")  # of `_image_size`: height, width


@dataclass(frozen=True)
class Frame:
    """An annotated frame of a video.

    Attributes:
        number: in the video.
        timestamp: s from its start.
        size: (height, width) of the photograph.
    """

    number: int
    timestamp: float
    size: tuple[int, int]


@dataclass(frozen=True)
class Recording:
    """A sequence: a video of an object and one of its masks.

    Attributes:
        video, mask_video: files, which need not be there.
        frames: in the order of their timestamps.
    """

    video: Path
    mask_video: Path
    frames: tuple[Frame, ...]


def read_sequences(root: Path, set_list: str) -> list[str]:
    """Names of the sequences of a set list, of all its subsets, sorted.

    Raises:
        DatasetError: the list is missing, damaged or empty.
    """
    path = root / "set_lists" / f"set_lists_{set_list}.sqlite"
    if not path.is_file():
        others = ", ".join(sorted(each.stem.removeprefix("set_lists_") for each in path.parent.glob("*.sqlite")))
        raise DatasetError(
            f"{path} is missing ({f'there are {others}' if others else 'no list is there'}); get it from {SOURCE}"
        )
    with _database(path) as database:
        found = [name for (name,) in database.execute("SELECT DISTINCT sequence_name FROM set_lists")]
    if not found or not all(isinstance(name, str) for name in found):
        raise DatasetError(f"{path} lists no sequences by name; get it from {SOURCE}")
    return sorted(found)


def read_recording(root: Path, sequence: str) -> Recording:
    """What the tables say of a sequence.

    Raises:
        DatasetError: the tables are missing, damaged, or do not say it.
    """
    path = root / METADATA
    if not path.is_file():
        raise DatasetError(f"{path} is missing; get it from {SOURCE}")
    with _database(path) as database:
        videos = database.execute(
            "SELECT _video_path, _mask_video_path FROM sequence_annots WHERE sequence_name = ?", (sequence,)
        ).fetchone()
        rows = database.execute(
            "SELECT frame_number, frame_timestamp, _image_size FROM frame_annots WHERE sequence_name = ?"
            " ORDER BY frame_timestamp, frame_number",
            (sequence,),
        ).fetchall()
    if videos is None or not rows:
        raise DatasetError(f"{path} has no annotations of the sequence {sequence}; get it from {SOURCE}")
    owner = f"{path}, sequence {sequence}"
    video, mask_video = (_within(root, given, owner) for given in videos)
    frames = tuple(_frame(row, owner) for row in rows)
    return Recording(video, mask_video, frames)


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    """A database, read only."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            yield database
    except sqlite3.Error as error:
        raise DatasetError(f"{path} is damaged, or no database of uCo3D ({error}); get it from {SOURCE}") from None


def _within(root: Path, given: Any, owner: str) -> Path:
    """A path of the tables; whether links lead elsewhere is up to whoever has made them."""
    if not isinstance(given, str) or not given:
        raise DatasetError(f"{owner}: a video has no path; get it from {SOURCE}")
    path = Path(os.path.abspath(root / given))
    if not path.is_relative_to(os.path.abspath(root)):
        raise DatasetError(f"{owner}: {given} leads out of {root}; get it from {SOURCE}")
    return path


def _frame(row: tuple[Any, Any, Any], owner: str) -> Frame:
    number, timestamp, size = row
    if not isinstance(number, int) or not isinstance(timestamp, int | float) or not timestamp >= 0:
        raise DatasetError(f"{owner}: frame {number!r} is at {timestamp!r} s; get it from {SOURCE}")
    if not isinstance(size, bytes) or len(size) != _SIZE.size:
        raise DatasetError(
            f"{owner}: the size of frame {number} is not two whole numbers of 32 bits; get it from {SOURCE}"
        )
    height, width = _SIZE.unpack(size)
    return Frame(number, float(timestamp), (height, width))
