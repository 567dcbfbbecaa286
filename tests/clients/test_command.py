"""`mvsam segment`: a folder of results, or one sentence that says what to mend."""

import io
import json
import shutil

import grpc
import pytest
from PIL import Image

from mvsam_client import cli
from mvsam_client.file_set import LISTING, LOCK
from mvsam_client.segment_command import box, click


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


def test_who_waits_without_end_says_so(run):
    assert run("--click", "0:1,2", "--timeout", "inf")[0] == 0


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
    assert written == {LISTING, LOCK, "contact_sheet.png", "overlays", "masks", "annotations.json", "points.ply"}


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
        (["--click", "0:1,2", "--timeout", "nan"], "seconds above 0"),
        (["--click", "0:1,2@7x"], "'0:1,2@7x' names no object; write a whole number behind @, e.g. @7"),
        (["--click", "0:1,2@"], "'0:1,2@' names no object"),
        (["--click", "0:1,2@1.5"], "'0:1,2@1.5' names no object"),
        (["--box", "0:1,2,3,4@chair"], "'0:1,2,3,4@chair' names no object"),
        (["--click", f"0:1,2@{'9' * 5000}"], "names no object"),
        (["--click", "0:1,2", "--url", "http://127.0.0.1:8000"], "HOST:PORT"),
        (["--click", "0:1,2", "--out", ""], "the name is empty; name a folder"),
        ([], "--click VIEW:X,Y"),
    ],
)
def test_mistakes_on_the_command_line_are_told_before_the_server_is_asked(run, server, arguments, message):
    code, _, err = run(*arguments)
    assert code == 2 and message in err and server.calls == 0


def test_figures_of_several_objects_name_them(run):
    lines = run("--click", "0:1,2@7", "--click", "0:3,4@-1")[1].splitlines()
    assert lines[0].endswith("object -1: 1.6 %, score 0.50  |  object 7: 1.6 %, score 0.74")


def test_files_that_are_no_photographs_are_named(run, server, tmp_path):
    document = tmp_path / "document.png"
    document.write_bytes(b"%PDF-1.7")
    empty, header = tmp_path / "empty.jpg", tmp_path / "huge.png"
    empty.touch()
    # A PNG header that announces 50,000 x 50,000 pixels.
    small = io.BytesIO()
    Image.new("L", (1, 1)).save(small, "PNG")
    header.write_bytes(small.getvalue()[:16] + (50_000).to_bytes(4, "big") * 2 + small.getvalue()[24:])
    for path in (document, empty, header, tmp_path / "missing.jpg", tmp_path):
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
def test_the_servers_refusal_is_the_users_mistake_and_its_failure_is_not(run, server, status, code, monkeypatch):
    monkeypatch.setattr("mvsam_client.retries.FIRST_PAUSE", 0.01)
    server.behaviour = lambda tensors, context: context.abort(status, "POINTS: click 0 lies outside view 0")
    result, out, err = run("--click", "0:1,2")
    assert result == code and not out and "--click: click 0 lies outside view 0" in err and "POINTS" not in err


def test_a_missing_server_is_one_sentence_with_a_remedy(run):
    code, _, err = run("--click", "0:1,2", url="127.0.0.1:1")
    assert code == 1 and "make serve" in err.splitlines()[-1]


def test_empty_masks_come_with_advice(run, server):
    server.finds_nothing = True
    code, out, _ = run("--click", "0:1,2")
    assert code == 0 and "No pixel was selected" in out


@pytest.mark.parametrize("source", ["{}", "{}/*.jpg", "{}/image ?.jpg"])
def test_a_folder_or_a_pattern_means_its_photographs_in_the_order_of_their_names(run, server, photographs, source):
    shutil.copy(photographs[0], photographs[0].with_name("image 10.jpg"))
    code, out, _ = run("--click", "0:1,2", files=[source.format(photographs[0].parent)])
    expected = ["image 0.jpg", "image 1.jpg", "image 2.jpg", "image 10.jpg"][: 3 if "?" in source else 4]
    assert code == 0 and [line.split("  ")[1] for line in out.splitlines()[:-1]] == expected
    assert server.received["IMAGES"][1] == photographs[1].read_bytes()


def test_frames_thins_the_photographs_whatever_names_them(run, server, photographs):
    for files in (photographs, [photographs[0].parent]):
        code, _, _ = run("--click", "0:1,2", "--frames", "2", files=files)
        sent = [photographs[0].read_bytes(), photographs[2].read_bytes()]
        assert code == 0 and server.received["IMAGES"].tolist() == sent


def test_objects_are_told_apart_by_their_numbers(run, server):
    assert run("--click", "0:1,2", "--click", "1:3,4,-@1", "--click", "2:5,6@1", "--box", "2:1,2,30,40@2")[0] == 0
    assert server.received["POINT_LABELS"].tolist() == [[1, -1], [0, 1], [-1, -1]]
    assert server.received["BOX_OBJECTS"].tolist() == [2]
    assert (click("1:3,4,-@12").object, box("1:3,4,5,6").object) == (12, 0)


def test_an_object_may_have_any_number_and_keeps_it(run, server, tmp_path):
    code, out, _ = run("--click", "0:1,2@7", "--json")
    assert code == 0 and server.received["POINT_LABELS"].tolist() == [[1]]
    assert [each["object"] for each in json.loads(out)["views"][0]["objects"]] == [7]
    code, out, _ = run("--box", "1:3,4,9,9@12", "--click", "0:1,2@-3", "--json")
    assert code == 0 and server.received["BOX_OBJECTS"].tolist() == [1]
    assert server.received["POINT_LABELS"].tolist() == [[1], [-1]]
    objects = json.loads(out)["views"][1]["objects"]
    assert [each["object"] for each in objects] == [-3, 12]
    assert [each["mask"].rpartition("_")[2] for each in objects] == ["object-3.png", "object12.png"]
    categories = json.loads((tmp_path / "out" / "annotations.json").read_text())["categories"]
    assert [each["name"] for each in categories] == ["object -3", "object 12"]


def test_json_tells_every_view_and_where_the_files_are(run, server, tmp_path):
    code, out, err = run("--click", "0:1,2", "--json")
    told = json.loads(out)
    assert code == 0 and "Segmenting 3 photographs" in err
    assert [(each["name"], each["width"], each["height"]) for each in told["views"]] == [
        ("image 0.jpg", 80, 60),
        ("image 1.jpg", 48, 64),
        ("image 2.jpg", 50, 50),
    ]
    (found,) = told["views"][1]["objects"]
    assert found["area"] == server.expected_mask(1, 64, 48).sum() and found["object"] == 0
    with Image.open(found["mask"]) as mask:
        assert mask.size == (48, 64)
    assert told["contact_sheet"] == str(tmp_path / "out" / "contact_sheet.png")


def test_a_disk_that_fails_is_told_with_the_folder(run, tmp_path, monkeypatch):
    def fail(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(tmp_path), "write_bytes", fail)
    code, _, err = run("--click", "0:1,2")
    assert code == 1 and f"{tmp_path / 'out'}: cannot be written (No space left on device)" in err


def test_ctrl_c_is_one_word_and_its_own_exit_code(run, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("mvsam_client.client.Client.segment", interrupted)
    code, out, err = run("--click", "0:1,2")
    assert code == 130 and not out and err.splitlines()[-1] == "mvsam segment: interrupted"
