"""Files that are followed: whatever tells that one has changed, and what is told of one that is broken."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from server.followed import Followed


def replace(file: Path) -> None:
    """By another of the same size and time."""
    other = file.with_suffix(".new")
    other.write_text("new")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.rename(file)


def rewrite(file: Path) -> None:
    """In its place, with as many bytes, later."""
    later = file.stat().st_mtime_ns + 1
    file.write_text("new")
    os.utime(file, ns=(later, later))


def lengthen(file: Path) -> None:
    """In its place, at the same time."""
    before = file.stat()
    file.write_text("longer")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [replace, rewrite, lengthen])
def test_a_change_is_seen_and_seen_once(tmp_path: Path, change: Callable[[Path], None]):
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_text("old")
    followed = Followed(files, lambda: [file.read_text() for file in files])
    assert followed.value == ["old", "old"] and not followed.look()
    change(files[1])
    assert followed.look() and followed.value == ["old", files[1].read_text()]
    assert not followed.look()


def test_a_broken_file_is_told_once_and_mended_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = tmp_path / "number"
    file.write_text("1")
    followed = Followed([file], lambda: int(file.read_text()))
    file.write_text("one")
    assert [followed.look() for _ in range(3)] == [False] * 3 and followed.value == 1
    file.unlink()
    assert not followed.look() and followed.value == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 2
    file.write_text("22")
    assert followed.look() and followed.value == 22
