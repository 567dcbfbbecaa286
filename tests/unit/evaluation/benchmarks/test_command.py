import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mvsam.evaluation.benchmarks.__main__ import main
from mvsam.evaluation.benchmarks.caching import CachedEncoder, CachedPointmaps
from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam.pipeline.request import Geometry

ARGUMENTS = ["--methods", "distance", "--geometry", "data", "--scenes", "2"]


def test_tables_and_a_page_come_of_one_command(tmp_path, monkeypatch):
    output, page = tmp_path / "out", tmp_path / "docs" / "synthetic.html"
    arguments = [*ARGUMENTS, "--output", str(output), "--page", str(page)]
    assert main(arguments) == 0
    table = (output / "tables.md").read_text()
    assert "Ball around the clicks, geometry of the data" in table and "2 scenes" in table
    assert r"\toprule" in (output / "tables.tex").read_text()
    assert page.read_text().count("<img") == 3 and len(list(page.with_suffix("").glob("*.jpg"))) == 3


def test_corrective_clicks_have_a_table_of_their_own(tmp_path):
    arguments = [*ARGUMENTS[:-1], "1", "--output", str(tmp_path)]
    assert main([*arguments, "--corrective-clicks", "2"]) == 0
    lines = (tmp_path / "tables.md").read_text().splitlines()
    place = lines.index("## Synthetic: IoU after corrective clicks")
    assert lines[place + 2] == "| method, geometry, what is fed back | 1 | 2 |"
    assert [line.split(" | ")[0] for line in lines[place + 4 : place + 6]] == [
        "| Ball around the clicks, geometry of the data, clicks alone: all views",
        "| Ball around the clicks, geometry of the data, clicks alone: views without clicks",
    ]
    assert main(arguments) == 1, "other results in the same folder"


def test_processes_share_the_scenes(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    module = "mvsam.evaluation.benchmarks"
    both, alone = tmp_path / "both", tmp_path / "alone"
    done = subprocess.run(
        [*command, module, *ARGUMENTS, "--output", str(both)], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr.count("; 1 of 1, ") == 2, "each of them has one of the two scenes"
    assert main([*ARGUMENTS, "--output", str(alone)]) == 0
    files = {path.relative_to(alone) for path in alone.rglob("*") if path.is_file()}
    assert len(files) == 5
    assert {path.relative_to(both) for path in both.rglob("*") if path.is_file()} == files
    assert all((both / file).read_bytes() == (alone / file).read_bytes() for file in files)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dataset", "own"], "needs --data"),
        (["--dataset", "own", "--data", "nowhere"], "nowhere: No such file or directory; get it from"),
        (["--methods", "triton"], "--server"),
        (["--methods", "distance", "--geometry", "vggt"], "--vggt"),
    ],
)
def test_what_is_missing_is_named(arguments, said, tmp_path, caplog):
    assert main([*arguments, "--output", str(tmp_path)]) == 1
    assert said in caplog.text


class Counting:
    """A provider and a session that count their calls."""

    name, types = "counting", {}

    def __init__(self) -> None:
        self.calls = 0

    def pointmaps(self, photographs):
        self.calls += 1
        shape = (len(photographs), 2, 3)
        return Pointmaps(
            Geometry(np.full((*shape, 3), self.calls, np.float32), np.ones(shape, np.float32), np.ones(shape, bool))
        )

    def run(self, inputs):
        self.calls += len(inputs["images"])
        return {"image_embedding": inputs["images"].sum(axis=(1, 2, 3), keepdims=True)}


def test_pointmaps_are_made_once_for_photographs_and_weights(tmp_path):
    provider = Counting()
    cached = CachedPointmaps(provider, tmp_path, "weights")
    first, again = cached.pointmaps([b"a", b"b"]), cached.pointmaps([b"a", b"b"])
    assert provider.calls == 1 and (first.geometry.points == again.geometry.points).all()
    assert again.camera_poses is None and again.geometry.valid.dtype == bool
    cached.pointmaps([b"b", b"a"])
    CachedPointmaps(provider, tmp_path, "other weights").pointmaps([b"a", b"b"])
    assert provider.calls == 3
    assert not list(Path(tmp_path).glob("*.tmp*"))


def test_features_are_made_once_a_view(tmp_path):
    session, images = Counting(), np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
    cached = CachedEncoder(session, tmp_path, "weights")
    first = cached.run({"images": images})["image_embedding"]
    again = cached.run({"images": images[::-1].copy()})["image_embedding"]
    assert session.calls == 2 and (first == again[::-1]).all()
