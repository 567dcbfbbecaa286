"""Where photographs come from: lists, folders, patterns, videos and COLMAP projects."""

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from PIL import Image

from mvsam_client import colmap, videos
from mvsam_client.errors import InvalidRequestError
from mvsam_client.file_set import not_written
from mvsam_client.file_types import HEAD, FileType, file_type
from mvsam_client.images import ImageSource, Photograph, encode_image
from mvsam_client.sampling import even_places
from mvsam_client.values import elements, file_path, whole_number

Source: TypeAlias = "str | os.PathLike[str] | Iterable[ImageSource]"

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".gif", ".heic", ".heif", ".jp2", ".tif", ".tiff")
FRAMES = 16  # of a video, where nothing else is asked for


def photographs(source: Source, *, frames: int | None = None) -> list[Photograph]:
    """Reads the photographs of one scene; the first is view 0.

    Args:
        source: one of

            - a list of paths, bytes of files, PIL images, uint8 arrays [h, w, 3] or `Photograph`;
            - a folder with pictures, in the order of their names (2 before 10); hidden ones and results of mvsam are
              passed over;
            - a pattern such as `photos/*.jpg`, likewise;
            - a video, whatever its name, of which frames are taken at even distances;
            - a COLMAP project (a folder with `images` and `sparse`), in the order of its model;
            - a single picture file.
        frames: how many at most, at even distances from the first to the last; where left out, 16 of a video and all of
            anything else.

    Raises:
        InvalidRequestError: nothing is there, it holds no pictures, or one cannot be read.
        MissingExtraError: it is a video or a HEIC picture, and what reads it is not installed.
    """
    if frames is not None and whole_number(frames, "frames") < 1:
        raise InvalidRequestError(f"frames: {frames} is none; give 1 or more")
    if isinstance(source, bytes | Image.Image | Photograph):
        raise InvalidRequestError("images: this is one photograph; give a list of them, e.g. [photograph]")
    if not isinstance(source, str | os.PathLike):
        images = elements(source, "images", "give a list of photographs, a folder or a video")
        return [
            Photograph(_name(images[place], place), encode_image(images[place], f"photograph {place}"))
            for place in even_places(len(images), frames)
        ]
    if not os.fspath(source):
        raise InvalidRequestError("images: the path is empty; name a folder, a file or a video")
    path = file_path(source, "images")
    if _is_video(path):
        return videos.read(path, FRAMES if frames is None else frames)
    files = _files(path, os.fspath(source))
    chosen = [files[place] for place in even_places(len(files), frames)]
    return [Photograph(path.name, encode_image(path, str(path))) for path in chosen]


def natural(path: Path) -> list[tuple[int, str]]:
    """A key that sorts names as people do: 2 before 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in re.split(r"(\d+)", str(path))]


def _files(path: Path, text: str) -> list[Path]:
    if os.path.isdir(path):  # which knows names too that no file can have
        if model := colmap.model_of(path):
            return colmap.files(path, model)
        found = sorted(not_written(file for file in path.iterdir() if _is_photograph(file)), key=natural)
        if not found:
            raise InvalidRequestError(
                f"{path}: the folder holds no picture but results of mvsam, if any; name one with "
                f"{', '.join(SUFFIXES)} files, a video or a COLMAP project (with images and sparse)"
            )
        return found
    if os.path.isfile(path):
        return [path]
    if glob.has_magic(text):
        matching = (path for name in glob.glob(text, recursive=True) if (path := Path(name)).is_file())
        found = sorted(not_written(matching), key=natural)
        if not found:
            raise InvalidRequestError(f"{text}: no file has such a name; check the pattern")
        return found
    raise InvalidRequestError(
        f"{text}: there is no such file or folder; give a list of photographs, a folder, a pattern such as "
        f"photos/*.jpg, a video or a COLMAP project"
    )


def is_named_like_one(path: Path) -> bool:
    """Returns whether a file or folder has the name of a photograph; macOS's `._` twins and hidden ones have not."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _is_photograph(path: Path) -> bool:
    return is_named_like_one(path) and path.is_file()


def _is_video(path: Path) -> bool:
    """By its content; one that is damaged from the start on, by its name."""
    try:
        with path.open("rb") as file:
            kind = file_type(file.read(HEAD))
    except OSError:  # which whoever reads it all will tell
        return False
    return kind is FileType.VIDEO or (kind is FileType.OTHER and path.suffix.lower() in videos.SUFFIXES)


def _name(image: ImageSource, place: int) -> str:
    if isinstance(image, Photograph):
        return image.name
    return Path(image).name if isinstance(image, str | os.PathLike) else f"photograph_{place}"
