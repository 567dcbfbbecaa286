"""Where each photograph and its annotations lie in SA-1B as it is on disk: tar shards, or folders.

Members of a tar come in any order. Pairing them while a shard is streamed would hold a quarter of its photographs,
2.5 GB, in memory; so the headers are read first (a second for 11,000 images) and then just the bytes of each pair.
"""

import os
import posixpath
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_KINDS = {".jpg": ".jpg", ".jpeg": ".jpg", ".json": ".json"}


@dataclass(frozen=True, slots=True)
class Extent:
    """A stretch of a file."""

    path: str
    offset: int
    size: int

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            OSError: the file is gone, unreadable or has become shorter.
        """
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) != self.size:
            raise OSError(f"{self.path} ends at byte {self.offset + len(data)}; copy the file again")
        return data


@dataclass(frozen=True, slots=True)
class Entry:
    """A photograph and its annotations; one of them may be missing, and both where it stands for a shard's broken end.

    Attributes:
        key: the shard's name without ending, and the member's.
    """

    key: str
    photograph: Extent | None
    annotations: Extent | None


def find_shards(sources: Iterable[Path]) -> list[Path]:
    """Tar files and folders of jpg and json under the given paths, which may be either themselves.

    Raises:
        ValueError: a path that does not exist or holds neither.
    """
    shards: list[Path] = []
    for source in sources:
        found = [source] if source.is_file() and source.suffix == ".tar" else _shards_under(source)
        if not found:
            cause = "holds neither tar files nor jpg and json files" if source.exists() else "does not exist"
            raise ValueError(f"{source} {cause}; give SA-1B's tar shards (sa_000000.tar, …) or folders of jpg and json")
        shards += found
    return shards


def shard_entries(shard: Path) -> list[Entry]:
    """The entries of a tar file or folder, by name, so that the members' order does not matter.

    What follows damage in a tar is lost; an entry without members tells of it.
    """
    members, whole = _folder_members(shard) if shard.is_dir() else _tar_members(shard)
    pairs: dict[str, dict[str, Extent]] = {}
    for name, extent in members.items():
        stem, kind = posixpath.splitext(name)
        if kind.lower() in _KINDS and not posixpath.basename(name).startswith("."):
            pairs.setdefault(stem, {})[_KINDS[kind.lower()]] = extent
    label = shard.name.removesuffix(".tar")
    entries = [Entry(f"{label}/{stem}", pair.get(".jpg"), pair.get(".json")) for stem, pair in sorted(pairs.items())]
    return entries if whole else [*entries, Entry(label, None, None)]


def _shards_under(folder: Path) -> list[Path]:
    """In the order of their names; links to folders are followed."""
    shards: list[Path] = []
    for path, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = sorted(name for name in files if not name.startswith("."))
        shards += [Path(path, name) for name in files if name.endswith(".tar")]
        if any(name.lower().endswith(tuple(_KINDS)) for name in files):
            shards.append(Path(path))
    return shards


def _folder_members(folder: Path) -> tuple[dict[str, Extent], bool]:
    with os.scandir(folder) as files:
        return {file.name: Extent(file.path, 0, file.stat().st_size) for file in files if file.is_file()}, True


def _tar_members(shard: Path) -> tuple[dict[str, Extent], bool]:
    """Name to extent, and whether the tar is whole up to its end mark."""
    members: dict[str, Extent] = {}
    try:
        with shard.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            length = os.fstat(file.fileno()).st_size
            while (member := archive.next()) is not None:
                if member.isreg() and member.offset_data + member.size <= length:
                    name = posixpath.normpath(member.name)
                    members[name] = Extent(str(shard), member.offset_data, member.size)
            file.seek(archive.offset)  # at a damaged header tarfile stops as quietly as at the end mark
            whole = file.read(tarfile.BLOCKSIZE) == tarfile.NUL * tarfile.BLOCKSIZE
    except (tarfile.TarError, OSError, EOFError, ValueError):
        whole = False
    return members, whole
