"""`--out` holds the result of the last run alone, beside what is the user's own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from mvsam_client import cli
from mvsam_client.file_set import LISTING

HOLD = """
import sys
from pathlib import Path
from mvsam_client.file_set import replaced
with replaced(Path(sys.argv[1])) as unfinished:
    (unfinished / "contact_sheet.png").write_text("half")
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def run(server, tmp_path, capsys):
    def call(*arguments: object) -> tuple[int, str]:
        places = ["--out", str(tmp_path / "out"), "--url", server.url]
        code = cli.main(["segment", *map(str, arguments), "--click", "0:1,2", *places])
        return code, capsys.readouterr().err

    return call


def test_a_second_smaller_run_leaves_masks_of_its_own_only(run, photographs, tmp_path):
    assert run(*photographs, "--click", "1:3,4@1")[0] == 0
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 6
    assert run(*photographs[:2])[0] == 0
    assert sorted(path.name for path in (tmp_path / "out" / "masks").iterdir()) == [
        "000_image 0.png",
        "001_image 1.png",
    ]
    assert len(list((tmp_path / "out" / "overlays").iterdir())) == 2
    assert len(json.loads((tmp_path / "out" / "annotations.json").read_bytes())["images"]) == 2


def test_a_mask_that_was_painted_over_is_kept_and_told_before_the_call(run, server, photographs, tmp_path):
    assert run(*photographs)[0] == 0
    mask = tmp_path / "out" / "masks" / "001_image 1.png"
    Image.new("L", (48, 64), 255).save(mask)
    painted, calls = mask.read_bytes(), server.calls
    code, err = run(*photographs)
    assert code == 2 and f"--out {tmp_path / 'out'}: {mask} was changed since" in err and server.calls == calls
    assert mask.read_bytes() == painted


def test_files_of_somebody_else_are_not_written_over(run, server, photographs, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "annotations.json").write_text("mine")
    code, err = run(*photographs)
    assert code == 2 and "annotations.json is no file that mvsam has written" in err and server.calls == 0
    assert (tmp_path / "out" / "annotations.json").read_text() == "mine"


@pytest.fixture
def other_run(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """Another process that is writing into the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "out")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"begun\n"
        yield process
        process.kill()


def test_results_beside_the_photographs_are_no_photographs_of_the_next_run(server, photographs, tmp_path, capsys):
    folder = photographs[0].parent
    click = ["--click", "0:1,2", "--out", str(folder), "--url", server.url]
    assert cli.main(["segment", str(folder), *click]) == 0
    everything = sorted(map(str, folder.glob("[!.]*")))
    capsys.readouterr()
    for named in ([str(folder)], [f"{folder}/*.*"], [f"{folder}/**/*.*g"], everything):
        assert cli.main(["segment", *named, *click]) == 0
        assert len(server.received["IMAGES"]) == 3, named
        captured = capsys.readouterr()
        assert "contact_sheet.png: a former run of mvsam has written it" in captured.err or len(named) == 1
    assert cli.main(["segment", str(folder / "overlays"), *click]) == 2
    assert "overlays: the folder holds no picture but results of mvsam" in capsys.readouterr().err
    (folder / LISTING).write_text("{")
    assert cli.main(["segment", str(folder), *click]) == 2
    assert f"{folder / LISTING} is damaged" in capsys.readouterr().err


def test_a_second_run_into_the_same_folder_is_refused_before_the_call(run, server, photographs, tmp_path, other_run):
    code, err = run(*photographs)
    assert code == 2 and server.calls == 0
    assert f"--out {tmp_path / 'out'}: another run of mvsam is writing into {tmp_path / 'out'}; wait until it" in err
    other_run.communicate()
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name[0] != "."] == ["contact_sheet.png"]
    assert run(*photographs)[0] == 0


def test_a_run_that_was_killed_leaves_the_folder_free(run, photographs, other_run):
    other_run.kill()
    other_run.wait()
    assert run(*photographs)[0] == 0


def test_the_folder_is_taken_from_the_call_on(run, server, photographs):
    codes = []

    def meanwhile(tensors, context):
        server.behaviour = None
        codes.append(run(*photographs)[0])

    server.behaviour = meanwhile
    assert run(*photographs)[0] == 0 and codes == [2] and server.calls == 1


@pytest.mark.parametrize("place", ["out", "out/deeper"])
def test_a_file_in_the_place_of_the_folder_is_told_as_such(photographs, tmp_path, capsys, place):
    (tmp_path / "out").write_text("mine")
    code = cli.main(["segment", str(photographs[0]), "--click", "0:1,2", "--out", str(tmp_path / place)])
    err = capsys.readouterr().err
    assert code == 2 and "a file is in the place of the folder; name another folder" in err
