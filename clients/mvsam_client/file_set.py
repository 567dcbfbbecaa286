"""The files of a result in a folder, replaced as a set; whatever else lies there is left alone.

A hidden file lists what was written, each file with its SHA-256. New files are written aside, and take their places
only when all of them are there: until then, and whenever something fails, the former set stays as it is. A process that
is killed while they take their places leaves that to the next one. One run at a time has the folder.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath, PurePosixPath

from filelock import FileLock, Timeout

from mvsam_client.errors import InvalidRequestError
from mvsam_client.file_names import local, portable

LISTING, LOCK = ".mvsam-files.json", ".mvsam-lock"
_DEEPEST = 2  # parts of the path of a written file, as in masks/000_a.png
_UNFINISHED, _COMPLETE = ".mvsam-unfinished", ".mvsam-complete"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keeps other runs from writing into a folder, which is made where it is missing; such blocks may be nested.

    The operating system frees the folder of a process that is killed. An empty hidden file stays.

    Raises:
        InvalidRequestError: another run is writing there.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.absolute() / LOCK, is_singleton=True)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise InvalidRequestError(
            f"another run of mvsam is writing into {folder}; wait until it has ended, or name another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Yields an empty folder, whose files replace those that the last such block has written into `folder`.

    Raises:
        InvalidRequestError: as for `check_free`.
        OSError: the folder cannot be written.
    """
    with claimed(folder):
        _put_in_place(folder)
        unfinished = folder / _UNFINISHED
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir()
        try:
            yield unfinished
            new = {path.relative_to(unfinished).as_posix(): _digest(path) for path in _files(unfinished)}
            _check(folder, new)
            listing = {portable(name): digest for name, digest in new.items()}
            (unfinished / LISTING).write_text(json.dumps(listing), encoding="ascii")
            unfinished.replace(folder / _COMPLETE)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        try:
            _put_in_place(folder)
        except KeyboardInterrupt:
            _put_in_place(folder)
            raise


def check_free(folder: Path, paths: Iterable[PurePath]) -> None:
    """Looks whether a set of files could be written, and makes the folder where it is missing.

    Args:
        folder: of the set.
        paths: of the files, relative to it.

    Raises:
        InvalidRequestError: a file is in the way that is not as it was written here, and is named; or as for `claimed`.
        OSError: the folder cannot be written.
    """
    with claimed(folder):
        _put_in_place(folder)
        _check(folder, [path.as_posix() for path in paths])


def _check(folder: Path, new: Iterable[str]) -> None:
    former = _listed(folder)
    for name in sorted({*former, *new}):
        path = folder / name
        blocked = [parent for parent in path.parents if parent.is_relative_to(folder) and parent.is_file()]
        if not blocked and (not path.exists() or (path.is_file() and former.get(name) == _digest(path))):
            continue
        cause = "was changed since" if name in former and not blocked else "is no file that mvsam has written"
        raise InvalidRequestError(
            f"{(*blocked, path)[0]} {cause}, and would be replaced; move it away, or name another folder"
        )


def not_written(paths: Iterable[Path]) -> list[Path]:
    """Returns the files and folders that mvsam has not written itself, as its folders of results tell.

    Raises:
        InvalidRequestError: the list in such a folder is damaged.
    """
    written: dict[Path, set[PurePath]] = {}
    left = []
    for path in paths:
        for folder in path.absolute().parents[:_DEEPEST]:
            if folder not in written:
                files = [PurePath(name) for name in _listed(folder)]
                written[folder] = {*files, *(parent for file in files for parent in file.parents)}
            if path.absolute().relative_to(folder) in written[folder]:
                break
        else:
            left.append(path)
    return left


def _put_in_place(folder: Path) -> None:
    """Does the rest of a replacement that has begun, if any; to do it twice does no harm."""
    complete = folder / _COMPLETE
    if (complete / LISTING).is_file():
        former, new = _listed(folder), _listed(complete)
        for name in former.keys() - new.keys():
            (folder / name).unlink(missing_ok=True)
        for name in new:
            if (complete / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (complete / name).replace(folder / name)
        left = {parent for name in former for parent in PurePosixPath(name).parents if parent.parts}
        for parent in sorted(left, key=lambda each: len(each.parts), reverse=True):
            with suppress(OSError):  # there are other files in it
                (folder / parent).rmdir()
        (complete / LISTING).replace(folder / LISTING)
    if complete.exists():
        shutil.rmtree(complete)


def _listed(folder: Path) -> Mapping[str, str]:
    """SHA-256 by name; empty where nothing was written yet."""
    try:
        found = json.loads((folder / LISTING).read_bytes())
        if not isinstance(found, dict) or not all(isinstance(digest, str) for digest in found.values()):
            raise ValueError("these are no digests by name")
        names = {local(name): digest for name, digest in found.items()}
        if not all(_is_inside(name) for name in names):
            raise ValueError("a name leads elsewhere")
        return names
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        raise InvalidRequestError(f"{folder / LISTING} is damaged; name another folder, or remove that file") from None


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and "\0" not in name and not path.is_absolute() and ".." not in path.parts


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
