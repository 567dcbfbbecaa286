"""The command line: a folder of results, or one sentence that says what to mend."""

import io
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints, entry_points

import grpc
import pytest
from PIL import Image

from mvsam_client import cli
from mvsam_client.progress import Progress


@pytest.fixture
def run(server, photographs, tmp_path, capsys):
    """Runs `mvsam segment` on the three photographs; (exit code, stdout, stderr)."""

    def call(*arguments, files=photographs, url=None):
        try:
            places = ["--out", str(tmp_path / "out"), "--url", url or server.url]
            code = cli.main(["segment", *map(str, files), *places, *arguments])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return call


def test_photographs_and_clicks_in_a_folder_of_results_out(run, server, tmp_path):
    code, out, _ = run("--click", "0:10,12.5", "--click", "1:3,4,-", "--box", "2:1,2,30,40")
    assert code == 0
    assert server.received["POINT_LABELS"].tolist() == [[1, 0]]
    assert server.received["POINTS"].tolist() == [[[10, 12.5], [3, 4]]]
    assert server.received["BOXES"].tolist() == [[1, 2, 30, 40]]
    lines = out.splitlines()
    assert [line.split("  ")[1] for line in lines[:3]] == ["image 0.jpg", "image 1.jpg", "image 2.jpg"]
    assert lines[0].endswith("1.6 %, score 0.50")
    assert str(tmp_path / "out" / "contact_sheet.png") in lines[3]
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"contact_sheet.png", "overlays", "masks", "annotations.json", "points.ply"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--click", "0,1,2"], "VIEW:X,Y"),
        (["--click", "0:1"], "VIEW:X,Y"),
        (["--click", "0:nan,1"], "VIEW:X,Y"),
        (["--click", "-1:3,4"], "--click"),
        (["--click", "0:1,2,x"], "VIEW:X,Y"),
        (["--click", "3:1,2"], "view 3 does not exist: views count from 0 and the last photograph is view 2"),
        (["--box", "0:1,2,3"], "VIEW:X0,Y0,X1,Y1"),
        (["--box", "9:1,2,3,4"], "view 9 does not exist"),
        (["--click", "0:1,2", "--timeout", "0"], "seconds above 0"),
        (["--click", "0:1,2", "--timeout", "soon"], "seconds above 0"),
        (["--click", "0:1,2", "--url", "http://127.0.0.1:8000"], "HOST:PORT"),
        ([], "--click VIEW:X,Y"),
    ],
)
def test_mistakes_on_the_command_line_are_told_before_the_server_is_asked(run, server, arguments, message):
    code, _, err = run(*arguments)
    assert code == 2 and message in err and server.calls == 0


def test_files_that_are_no_photographs_are_named(run, server, tmp_path):
    tiff = tmp_path / "tiff.png"
    Image.new("RGB", (8, 8)).save(tiff, "TIFF")
    empty, header = tmp_path / "empty.jpg", tmp_path / "huge.png"
    empty.touch()
    # A PNG header that announces 50,000 x 50,000 pixels.
    small = io.BytesIO()
    Image.new("L", (1, 1)).save(small, "PNG")
    header.write_bytes(small.getvalue()[:16] + (50_000).to_bytes(4, "big") * 2 + small.getvalue()[24:])
    for path in (tiff, empty, header, tmp_path / "missing.jpg", tmp_path):
        code, _, err = run("--click", "0:1,2", files=[path])
        assert code == 2 and str(path) in err and len(err.splitlines()) == 1
    assert server.calls == 0


def test_a_folder_that_cannot_be_made_is_told_before_the_call(run, server, tmp_path):
    (tmp_path / "out").write_text("a file")
    code, _, err = run("--click", "0:1,2")
    assert code == 2 and "name another folder" in err and server.calls == 0


@pytest.mark.parametrize(
    ("status", "code"),
    [(grpc.StatusCode.INVALID_ARGUMENT, 2), (grpc.StatusCode.INTERNAL, 1), (grpc.StatusCode.UNAVAILABLE, 1)],
)
def test_the_servers_refusal_is_the_users_mistake_and_its_failure_is_not(run, server, status, code):
    server.behaviour = lambda tensors, context: context.abort(status, "POINTS: click 0 lies outside view 0")
    result, out, err = run("--click", "0:1,2")
    assert result == code and not out and "POINTS: click 0 lies outside view 0" in err


def test_a_missing_server_is_one_sentence_with_a_remedy(run):
    code, _, err = run("--click", "0:1,2", url="127.0.0.1:1")
    assert code == 1 and "make serve" in err.splitlines()[-1]


def test_empty_masks_come_with_advice(run, server):
    server.finds_nothing = True
    code, out, _ = run("--click", "0:1,2")
    assert code == 0 and "No pixel was selected" in out


def test_help_lists_the_commands(capsys):
    for arguments in ([], ["--help"]):
        assert cli.main(arguments) == 0
        assert "segment" in capsys.readouterr().out


def test_a_command_of_a_distribution_that_is_missing_names_it(monkeypatch, capsys):
    monkeypatch.setattr(cli, "entry_points", lambda **selection: EntryPoints())
    assert cli.main(["serve"]) == 2
    assert "install the distribution `mvsam`" in capsys.readouterr().err
    assert cli.main(["dance"]) == 2
    assert "no command 'dance'" in capsys.readouterr().err


def test_other_distributions_add_commands(monkeypatch):
    # `len` stands for a command: it returns the number of the arguments that it was given.
    found = EntryPoints([EntryPoint("serve", "builtins:len", cli.GROUP)])
    monkeypatch.setattr(cli, "entry_points", lambda **selection: found.select(**selection))
    assert cli.main(["serve", "--port", "1"]) == 2


def test_the_installed_command_is_this_one():
    (script,) = entry_points(group="console_scripts", name="mvsam")
    assert script.load() is cli.main


def test_neither_torch_nor_the_main_distribution_is_imported():
    heavy = ("torch", "cv2", "pycocotools", "mvsam")
    program = f"import mvsam_client.cli, sys; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_counts_on_a_terminal_and_is_two_lines_elsewhere():
    terminal, plain = Terminal(), io.StringIO()
    for stream in (terminal, plain):
        with Progress("Working", stream, interval=0.01):
            pass
    assert "Working … 0 s" in terminal.getvalue() and terminal.getvalue().endswith("s\n")
    assert plain.getvalue().splitlines()[0] == "Working …" and "\r" not in plain.getvalue()
    with pytest.raises(KeyError), Progress("Working", plain):
        raise KeyError
    assert "stopped after" in plain.getvalue().splitlines()[-1]
