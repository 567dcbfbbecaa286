"""Long names, and letters that a console does not know, cost nobody a result."""

import contextlib
import json
import os
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from mvsam_client import Click, Client
from mvsam_client.cli import main
from mvsam_client.outputs import save
from mvsam_client.viewer.downloads import masks_zip

LONG = ["x" * 246, "\u732b" * 82 + "a", "\u00e9" * 120]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in LONG:
        Image.fromarray(np.full((30, 40, 3), 90, np.uint8)).save(folder / f"{name}.jpg")
    return folder


@pytest.mark.parametrize("objects", [1, 2])
def test_names_of_250_characters_are_shortened(server, folder, tmp_path, objects):
    files = sorted(folder.iterdir())
    names = [file.name for file in files]
    clicks = [Click(0, 5, 5, object=index) for index in range(objects)]
    with Client(server.url) as client:
        result = client.segment(files, points=clicks)
    saved = save(tmp_path / "out", result, files, names)
    written = [path for row in saved.masks for path in row] + saved.overlays
    assert len({path for path in written if path.is_file()}) == 3 * objects + 3
    assert [path.name[:4] for path in saved.overlays] == ["000_", "001_", "002_"]
    assert {image["file_name"] for image in json.loads(saved.annotations.read_bytes())["images"]} == set(names)
    with zipfile.ZipFile(BytesIO(masks_zip(result, names))) as archive:
        archive.extractall(tmp_path / "zip")
    assert len(list((tmp_path / "zip" / "masks").iterdir())) == 3 * objects


def test_that_names_are_shortened_is_told(server, folder, tmp_path, capsys):
    ask = ["segment", str(folder), "--url", server.url, "--click", "0:5,5", "--out", str(tmp_path / "out")]
    assert main(ask) == 0
    assert "3 names are too long for a file system and shortened in the files' names" in capsys.readouterr().out
    short = folder.parent / "short"
    short.mkdir()
    Image.new("RGB", (40, 30)).save(short / "a.jpg")
    assert main([ask[0], str(short), *ask[2:-1], str(tmp_path / "other")]) == 0
    assert "too long" not in capsys.readouterr().out


def test_a_name_that_is_no_text_has_a_place_in_the_archive(server, folder):
    with Client(server.url) as client:
        result = client.segment(sorted(folder.iterdir()), points=[Click(0, 5, 5)])
    with zipfile.ZipFile(BytesIO(masks_zip(result, [os.fsdecode(b"b\xe9.jpg"), "\u732b.jpg", "c.jpg"]))) as archive:
        assert archive.namelist() == [f"masks/{stem}_object0.png" for stem in ("000_b", "001_\u732b", "002_c")]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "utf-8"])
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["words", "JSON"])
def test_every_console_shows_the_result(server, tmp_path, encoding, options):
    odd = [
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)) for name in ("\u732b\u00e9.jpg".encode(), b"b\xe9.jpg")
    ]
    for path in odd:
        with path.open("wb") as file:
            Image.new("RGB", (40, 30)).save(file, "JPEG")
    command = ["segment", *map(str, odd), "--url", server.url, "--click", "0:5,5", "--out", str(tmp_path / "out")]
    program = "import sys; from mvsam_client.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, *command, *options],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode(encoding)
    if options:
        assert said.isascii()
        assert [view["name"] for view in json.loads(said)["views"]] == [path.name for path in odd]
    else:
        assert "Look at" in said and ("\\u732b" in said) == (encoding != "utf-8")
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 2


def test_a_folder_of_one_locale_is_recognised_under_another(server, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("\u732b\u00e9.jpg", "\u00e9" * 120 + ".jpg"):
        Image.new("RGB", (40, 30)).save(folder / name)
    program = "import sys; from mvsam_client.cli import main; sys.exit(main())"
    command = ["segment", str(folder), "--url", server.url, "--click", "0:5,5", "--out", str(folder)]
    written = []
    for locale in ("C.UTF-8", "C", "C.UTF-8"):
        environment = os.environ | {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        done = subprocess.run(
            [sys.executable, "-c", program, *command], env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert len(server.received["IMAGES"]) == 2
        written.append({path for path in folder.rglob("*") if path.is_file()})
        assert {each["file_name"] for each in json.loads((folder / "annotations.json").read_bytes())["images"]} == {
            path.name for path in folder.glob("*.jpg")
        }
    assert written[0] == written[1] == written[2]


ODD_LETTERS = "\x1b[2J\x07\u202egnp\n\x7f\u2028"
PLAIN = r"\x1b[2J\x07\u202egnp\n\x7f\u2028"


def test_what_names_and_servers_say_cannot_move_the_cursor(server, tmp_path, capsys, monkeypatch):
    folder = tmp_path / f"a{ODD_LETTERS}"
    folder.mkdir()
    Image.new("RGB", (40, 30)).save(folder / f"b{ODD_LETTERS}.jpg")
    (folder / "c.jpg").write_bytes(b"no picture")
    named = ["segment", str(folder / f"b{ODD_LETTERS}.jpg"), "--url", server.url]
    out = ["--out", str(folder / "out")]
    said = []

    def run(*arguments: str) -> None:
        with contextlib.suppress(SystemExit):
            main(arguments)
        captured = capsys.readouterr()
        said.append(captured.out + captured.err)
        assert PLAIN in said[-1], said[-1]
        assert not set(said[-1]) & set(ODD_LETTERS.replace("\n", "").replace("gnp", "").replace("[2J", "")), said[-1]

    run(*named, "--click", "0:5,5", *out)
    assert said[0].count(PLAIN) == 2  # the file's and the folder's name
    run(*named, str(folder / "out" / "contact_sheet.png"), "--click", "0:5,5", *out)
    run(*named, "--click", "0:500,5", *out)
    run(*named, "--click", ODD_LETTERS, *out)
    run(*named, "--click", "0:5,5", "--out", str(folder / "c.jpg"))
    run("segment", str(folder), "--click", "0:5,5", *out)
    run("segment", str(folder / "none"), "--click", "0:5,5", *out)
    run("encode", str(folder / "c.jpg"))
    run("view", str(folder / "c.jpg"), "--url", f"{ODD_LETTERS}:1".replace("\n", ""))
    run(ODD_LETTERS)
    run("doctor", ODD_LETTERS)
    server.behaviour = lambda tensors, context: context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no {ODD_LETTERS}.")
    run(*named, "--click", "0:5,5", *out)
