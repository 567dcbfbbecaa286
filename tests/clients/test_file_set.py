"""A folder of results holds one whole result, the former or the new one, and keeps what is the user's own."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from mvsam_client import InvalidRequestError
from mvsam_client.file_set import LISTING, LOCK, check_free, replaced

FORMER = {"sheet": "old", "masks/0": "old", "masks/1": "old", "masks/2": "old", "deep/er/x": "old"}
NEW = {"sheet": "new", "masks/0": "new", "overlays/0": "new"}


def write(folder: Path, files: dict[str, str]) -> None:
    with replaced(folder) as unfinished:
        for name, content in files.items():
            (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
            (unfinished / name).write_text(content)


def held(folder: Path) -> dict[str, str]:
    """Contents by name, without what is hidden."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: path.read_text() for name, path in names.items() if not name.startswith(".")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "out", FORMER)
    return tmp_path / "out"


def test_a_smaller_result_leaves_nothing_of_a_larger_one(folder):
    assert held(folder) == FORMER
    write(folder, NEW)
    assert held(folder) == NEW
    assert not (folder / "deep").exists()
    assert {path.name for path in folder.iterdir()} == {LISTING, LOCK, "sheet", "masks", "overlays"}


def test_what_is_the_users_own_stays(folder):
    own = {"notes.txt": "mine", "masks/mine.png": "mine", "deep/mine": "mine"}
    for name, content in own.items():
        (folder / name).write_text(content)
    write(folder, NEW)
    assert held(folder) == NEW | own


@pytest.mark.parametrize(
    ("disturb", "says"),
    [
        (lambda folder: (folder / "masks/0").write_text("painted over"), "masks/0 was changed since"),
        (lambda folder: (folder / "masks/2").write_text("painted over"), "masks/2 was changed since"),
        (lambda folder: [(folder / "overlays").mkdir(), (folder / "overlays/0").touch()], "overlays/0 is no file that"),
        (lambda folder: (folder / "overlays").touch(), "overlays is no file that mvsam has written"),
        (lambda folder: (folder / "overlays/0").mkdir(parents=True), "overlays/0 is no file that"),
        (lambda folder: (folder / LISTING).unlink(), "masks/0 is no file that mvsam has written"),
        (lambda folder: (folder / LISTING).write_text("{"), f"{LISTING} is damaged"),
        (lambda folder: (folder / LISTING).write_text('{"../notes": ""}'), f"{LISTING} is damaged"),
        (lambda folder: (folder / LISTING).write_text('{"files": 3}'), f"{LISTING} is damaged"),
        (lambda folder: (folder / LISTING).write_text('{"": "", "a": null}'), f"{LISTING} is damaged"),
    ],
)
def test_a_file_in_the_way_is_named_and_nothing_is_written(folder, disturb: Callable[[Path], object], says):
    disturb(folder)
    before = held(folder)
    for attempt in (lambda: write(folder, NEW), lambda: check_free(folder, map(Path, NEW))):
        with pytest.raises(InvalidRequestError, match=f"{says}.*; "):
            attempt()
    assert held(folder) == before


def test_a_failure_while_writing_leaves_the_former_result(folder):
    with pytest.raises(OSError, match="No space"), replaced(folder) as unfinished:
        (unfinished / "sheet").write_text("half")
        raise OSError(28, "No space left on device")
    assert held(folder) == FORMER
    assert not [path for path in folder.iterdir() if path.name.startswith(".") and path.name not in (LISTING, LOCK)]


class KilledError(BaseException):
    """The process ends here."""


def stopped_at(step: int, error: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the files' system be interrupted once, at one of its steps."""
    done = 0
    for name in ("replace", "unlink", "rmdir", "mkdir", "write_text"):
        real = getattr(Path, name)

        def interrupted(*arguments, _real=real, **options):
            nonlocal done
            done += 1
            if done == step:
                raise error
            return _real(*arguments, **options)

        monkeypatch.setattr(Path, name, interrupted)


STEPS = range(1, 40)


@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_leaves_the_former_result_or_the_new_one(folder, monkeypatch, step):
    with monkeypatch.context() as patch:
        stopped_at(step, KeyboardInterrupt, patch)
        with contextlib.suppress(KeyboardInterrupt):
            write(folder, NEW)
    assert held(folder) in (FORMER, NEW)


@pytest.mark.parametrize("step", STEPS)
def test_whoever_comes_after_a_killed_process_finds_the_former_result_or_the_new_one(folder, monkeypatch, step):
    with monkeypatch.context() as patch:
        stopped_at(step, KilledError, patch)
        with contextlib.suppress(KilledError):
            write(folder, NEW)
    check_free(folder, [])
    assert held(folder) in (FORMER, NEW)
    write(folder, FORMER)
    assert held(folder) == FORMER


def test_names_with_two_dots_in_a_row_are_names_like_others(tmp_path):
    write(tmp_path, {"masks/img..1": "old", "x...y": "old"})
    write(tmp_path, {"masks/img..1": "new"})
    assert held(tmp_path) == {"masks/img..1": "new"}
