"""Photographs and synthetic scenes in one run: shares, resuming, and what is held out."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from mvsam.synthetic.__main__ import main as synthetic
from mvsam.training.__main__ import main
from mvsam.training.mixed_source import MixedSource
from tests.unit.training import stream_toy
from tests.unit.training.sa1b_files import sa1b_files, write_tar
from tests.unit.training.stream_toy import RECIPE, train, write_weights

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


class Numbered:
    """Samples that tell where they come from."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def sample(self, step: int, example: int) -> str:
        return self.kind


@pytest.mark.parametrize(("share", "expected"), [(0.5, 4), (0.25, 2), (0.75, 6), (1.0, 8), (0.0, 0)])
def test_a_step_has_the_share_of_photographs(share: float, expected: int) -> None:
    source = MixedSource(Numbered("photograph"), Numbered("scene"), share)  # pyright: ignore[reportArgumentType]
    kinds = [source.sample(0, example) for example in range(8)]
    assert kinds.count("photograph") == expected  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name, seed in (("scenes", "0"), ("held_out", "100")):
        options = ["--count", "2", "--views", "2", "--height", "64", "--width", "64", "--seed", seed]
        assert synthetic(["render", "--out", str(folder / name), *options]) == 0
    write_tar(folder / "sa_000000.tar", sa1b_files(range(6)))
    write_tar(folder / "sa_000001.tar", sa1b_files(range(20, 23)))
    write_weights(folder / "weights", "pi3")
    return folder


def test_a_run_on_both_kinds_validates_on_both(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stream_toy, "RECIPE", replace(RECIPE, train_encoder=True, layered=0.5))
    caplog.set_level("INFO")
    options = ["--scenes", data / "scenes", "--sa1b", data / "sa_000000.tar"]
    held_out = ["--held-out", data / "held_out", data / "sa_000001.tar"]
    rest = ["--weights-directory", data / "weights", "--output", tmp_path / "run", "--steps", "3"]
    status, losses = train(*options, *held_out, *rest)
    assert status == 0 and len(losses) == 3
    for kind in ("photographs", "scenes"):
        for figure in ("mean IoU", "IoU at 1", "IoU at 10"):
            assert f"{kind}: {figure}" in caplog.text


def test_data_that_do_not_go_together_are_refused(data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    output = ["--output", str(tmp_path / "run"), "--steps", "1", "--weights-directory", str(data / "weights")]
    for options, reason in (
        ([], "give --scenes, --sa1b or --user-masks"),
        (["--sa1b", data / "sa_000000.tar", "--held-out", data / "held_out"], "give it with --scenes, or leave it out"),
        (["--scenes", data / "scenes", "--held-out", data / "sa_000001.tar"], "is no cache of scenes"),
        (["--scenes", data / "scenes", "--sa1b", data / "sa_000000.tar"], "recipes that train the encoder"),
    ):
        caplog.clear()
        status, _ = train(*options, *output)
        assert status == 1 and reason in caplog.text


def test_photographs_are_set_aside_in_blocks(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "photographs.tar", sa1b_files(range(100, 160)))
    for folder in ("one", "two"):
        options = ["--output", str(tmp_path / folder), "--block", "5", "--every", "3"]
        assert main(["hold-out", str(source), *options]) == 0
    names: dict[str, list[int]] = {}
    for part in ("train", "validate", "test"):
        content = (tmp_path / "one" / f"{part}.tar").read_bytes()
        assert content == (tmp_path / "two" / f"{part}.tar").read_bytes()
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            names[part] = sorted({int(name.rsplit("_", 1)[1].split(".")[0]) for name in archive.getnames()})
    assert sorted(number for part in names.values() for number in part) == list(range(100, 160))
    assert names["validate"] == [*range(105, 110), *range(135, 140)]
    assert names["test"] == [*range(120, 125), *range(150, 155)]
