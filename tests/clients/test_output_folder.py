"""`--out` holds the result of the last run alone, beside what is the user's own."""

import json

import pytest
from PIL import Image

from mvsam_client import cli


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
