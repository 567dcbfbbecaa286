"""The command line against the real server: a scene is encoded, clicked on, timed, and the doctor finds it well."""

import io
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mvsam_client import cli
from server.launcher import TritonServer
from tests.server.wire import page
from tests.waiting import wait_until

EVERY = 1.0  # seconds between two looks of the server's at what it holds


@pytest.fixture
def folder(tmp_path: Path, photographs: list[bytes]) -> Path:
    """The photographs of the scene as files."""
    made = tmp_path / "photos"
    made.mkdir()
    for view, encoded in enumerate(photographs):
        with Image.open(io.BytesIO(encoded)) as picture:
            (made / f"{view}.{str(picture.format).lower()}").write_bytes(encoded)
    return made


@pytest.fixture
def told(demo_server: TritonServer, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command on the demo's server; what its JSON holds."""

    def run(*arguments: object) -> Any:
        assert cli.main([*map(str, arguments), "--url", demo_server.grpc_url, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_a_scene_is_encoded_once_and_clicked_on_by_its_id(
    told: Any, folder: Path, tmp_path: Path, demo_server: TritonServer, capsys: pytest.CaptureFixture[str]
) -> None:
    encoded = told("encode", folder)
    sizes = [(each["width"], each["height"]) for each in encoded["views"]]
    assert sizes == [(320, 240), (320, 240), (160, 240), (640, 480)]
    assert encoded["confidence_threshold"] > 0 and all(value > 0 for value in encoded["points_deviation"])
    clicks = ["--click", "0:160,120", "--click", "2:80,120"]
    ways = (["--scene", encoded["scene"]], [])
    kept, sent = (told("segment", folder, *clicks, "--out", tmp_path / str(len(way)), *way) for way in ways)
    assert [view["objects"][0]["area"] for view in kept["views"]] == [
        view["objects"][0]["area"] for view in sent["views"]
    ]
    assert sent["point_cloud"] and Path(kept["annotations"]).is_file()
    too_few = ["segment", str(folder / "0.png"), "--click", "0:1,2", "--out", str(tmp_path / "out")]
    assert cli.main([*too_few, "--scene", encoded["scene"], "--url", demo_server.grpc_url]) == 2
    assert "not named: view 1, 2, 3 of the scene" in capsys.readouterr().err


def test_an_unknown_scene_is_one_sentence(
    folder: Path, tmp_path: Path, demo_server: TritonServer, capsys: pytest.CaptureFixture[str]
) -> None:
    request = ["segment", str(folder), "--click", "0:1,2", "--out", str(tmp_path / "out"), "--scene", "0" * 32]
    assert cli.main([*request, "--url", demo_server.grpc_url]) == 1
    assert "--scene: no scene has this id" in capsys.readouterr().err.splitlines()[-1]


def test_bench_times_what_it_says(told: Any) -> None:
    found = told("bench", "--views", 2, "--encodes", 2, "--clicks", 6, "--size", "160x120")
    assert found["views"] == 2 and found["server"].startswith("triton ")
    figures = found["milliseconds"]
    assert {name: each["calls"] for name, each in figures.items()} == {"encode": 2, "first_view": 6, "click": 6}
    for each in figures.values():
        assert 0 < each["min"] <= each["p50"] <= each["p90"] <= each["p99"] <= each["max"]
    assert figures["first_view"]["p50"] <= figures["click"]["p50"]


def test_bench_is_a_table_for_people(
    demo_server: TritonServer, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    assert cli.main(["bench", str(folder), "--encodes", "1", "--clicks", "2", "--url", demo_server.grpc_url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "4 photographs" in lines[0] and [line.split()[0] for line in lines[2:]] == ["encode", "click,", "click,"]


def test_the_doctor_finds_a_running_server_well(told: Any) -> None:
    found = told("doctor", "server")
    facts = [each["fact"] for each in found["findings"]]
    assert found["problems"] == found["warnings"] == 0
    assert "client and server agree on every tensor" in facts
    assert "two small photographs were encoded in" in facts[-1]


def test_bench_and_doctor_leave_no_scene_behind(told: Any, demo_server: TritonServer) -> None:
    def scenes() -> float:
        (held,) = re.findall(
            r"^mvsam_scenes(?:{.*})? (\S+)$", page(demo_server.metrics_socket, "/metrics"), re.MULTILINE
        )
        return float(held)

    time.sleep(2 * EVERY)  # the gauge is behind by as much
    before = scenes()
    told("doctor", "server")
    told("bench", "--views", 1, "--encodes", 1, "--clicks", 1)
    time.sleep(2 * EVERY)
    wait_until(lambda: scenes() <= before)
