"""Files of a data set on disk: found, measured and read, or else named together with where to get them.

`source` is where a data set comes from, in words that end an error message: "... get it from SOURCE".
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mvsam.evaluation.benchmarks.scenes import DatasetError, Photograph
from mvsam.pipeline import photograph_files
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.headers import Format, check_complete, read_header
from mvsam.pipeline.limits import Limits

# Masks were painted on other copies than are to be had: one of 980x546 goes with a photograph of 979x546, one of 4:3
# with a photograph that lost its edges when its distortion was taken out. A picture on its side is far off.
ASPECT_TOLERANCE = 0.02
# The NeRF authors' smaller copies of some scenes are called image000.png, .. by their place among the originals.
NUMBERED = re.compile(r"image(\d+)")


def visible(folder: Path, source: str) -> list[Path]:
    """See `photograph_files.visible`.

    Raises:
        DatasetError: the folder is missing.
    """
    with _listing(folder, source):
        return photograph_files.visible(folder)


def visible_files(folder: Path, source: str) -> list[Path]:
    """See `photograph_files.visible_files`.

    Raises:
        DatasetError: the folder is missing.
    """
    with _listing(folder, source):
        return photograph_files.visible_files(folder)


def only_file(folder: Path, pattern: str, source: str) -> Path:
    """The file of a folder whose name, in small letters, matches a shell pattern.

    Raises:
        DatasetError: there is none, or more than one.
    """
    found = [path for path in visible_files(folder, source) if fnmatchcase(path.name.lower(), pattern)]
    if len(found) != 1:
        raise DatasetError(f"{folder} holds {len(found)} files {pattern} in place of one; get it again from {source}")
    return found[0]


def photographs_in(folder: Path, source: str) -> tuple[Path, ...]:
    """JPEG, PNG and WebP files of a folder, by name.

    Raises:
        DatasetError: there are none, or two share a stem, so that a mask's name would not tell which is meant.
    """
    with _listing(folder, source):
        found = tuple(photograph_files.photograph_files(folder))
    if not found:
        raise DatasetError(f"{folder} holds no photograph; get them from {source}")
    stems: dict[str, Path] = {}
    for path in found:
        if path.stem in stems:
            raise DatasetError(f"{path} and {stems[path.stem].name} share a stem; remove one of them")
        stems[path.stem] = path
    return found


def find_photographs(root: Path, scenes: Sequence[str], folders: Sequence[str], source: str) -> tuple[Path, ...]:
    """Photographs of a scene that goes by several names.

    Args:
        root: holds `<scene>/<folder>`.
        scenes: names of the scene, the preferred first.
        folders: names of its folders of photographs, the preferred first.
        source: see above.

    Raises:
        DatasetError: none of the folders is there, or what `photographs_in` refuses.
    """
    for scene in scenes:
        for folder in folders:
            if (root / scene / folder).is_dir():
                return photographs_in(root / scene / folder, source)
    raise DatasetError(
        f"{root / scenes[0]} has no photographs: looked in {root} for {' or '.join(scenes)} with a folder "
        f"{' or '.join(folders)}; get them from {source}"
    )


def photograph(path: Path, source: str) -> Photograph:
    """A view, named like its file."""
    return Photograph(path.name, partial(read_photograph, path, source))


def read_photograph(path: Path, source: str) -> bytes:
    """An encoded photograph whose end is there.

    Raises:
        DatasetError: it is missing, breaks off, or is no photograph.
    """
    data = _read(path, source)
    with _picture(source):
        check_complete(data, str(path))
    return data


def upright_size(path: Path, source: str) -> tuple[int, int]:
    """(height, width) of an upright photograph, by its header.

    Raises:
        DatasetError: it is missing, no photograph, or too large.
    """
    data = _read(path, source)
    with _picture(source):
        height, width = read_header(data, str(path)).size
    if height * width > Limits.max_image_pixels:
        raise DatasetError(
            f"{path} has {width}x{height} pixels, more than the {Limits.max_image_pixels} allowed; save it smaller"
        )
    return height, width


def read_mask(path: Path, source: str, above: int = 0) -> np.ndarray:
    """A mask of any size.

    Args:
        path: PNG file, grey or in colours.
        source: see above.
        above: inside is whatever is brighter than this in some colour, and not transparent.

    Returns:
        bool [h, w].

    Raises:
        DatasetError: it is missing, damaged, no PNG, or too large.
    """
    data = _read(path, source)
    with _picture(source):
        header = read_header(data, str(path))
        check_complete(data, str(path))
    if header.format is not Format.PNG:
        raise DatasetError(f"{path} is a {header.format.value}, not a PNG; get it again from {source}")
    if header.stored_height * header.stored_width > Limits.max_image_pixels:
        raise DatasetError(f"{path} has more than the {Limits.max_image_pixels} pixels allowed; save it smaller")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise DatasetError(f"{path} is a damaged PNG; get it again from {source}")
    if picture.ndim == 2:
        return picture > above
    inside = (picture[..., :3] > above).any(axis=2)
    return inside & (picture[..., 3] > 0) if picture.shape[2] == 4 else inside


def mask_of(view: Path, size: tuple[int, int], path: Path, source: str, above: int = 0) -> np.ndarray:
    """As `read_mask`, of a mask that covers the whole of an upright photograph: the file `view`, of (height, width).

    Raises:
        DatasetError: likewise, or their shapes differ.
    """
    mask = read_mask(path, source, above)
    check_shapes(path, (mask.shape[0], mask.shape[1]), view, size, source)
    return mask


def check_shapes(path: Path, own: tuple[int, int], view: Path, size: tuple[int, int], source: str) -> None:
    """Compares (height, width) of masks with those of the photograph that they cover.

    Raises:
        DatasetError: they differ in shape, so that either is of something else.
    """
    if abs(own[1] * size[0] / (own[0] * size[1]) - 1) > ASPECT_TOLERANCE:
        raise DatasetError(
            f"{path} is {own[1]}x{own[0]}, its photograph {view} {size[1]}x{size[0]}: they do not show the same; get "
            f"them again from {source}"
        )


def read_json(path: Path, source: str) -> Any:
    """Content of a JSON file.

    Raises:
        DatasetError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}; get it from {source}") from None
    except (ValueError, RecursionError):
        raise DatasetError(f"{path} is no JSON file, or damaged; get it again from {source}") from None


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Names a file or folder in errors about what is in it."""
    try:
        yield
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None


def _read(path: Path, source: str) -> bytes:
    """An encoded picture."""
    try:
        if path.stat().st_size > Limits.max_image_bytes:
            raise DatasetError(f"{path} is larger than the {Limits.max_image_bytes} bytes allowed; save it smaller")
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}; get it from {source}") from None


@contextmanager
def _listing(folder: Path, source: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatasetError(f"{folder}: {error.strerror}; get it from {source}") from None


@contextmanager
def _picture(source: str) -> Iterator[None]:
    """Says what is wrong with a picture, with a remedy for whoever has it on disk."""
    try:
        yield
    except RequestError as error:
        cause, _, _ = str(error).rpartition(";")
        raise DatasetError(f"{cause}; get it again from {source}") from None
