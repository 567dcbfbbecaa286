"""`mvsam view`: mistakes are told in a sentence, before anything is sent."""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mvsam_client import cli, view_command
from tests.clients.viewer import toy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for photograph in toy.photographs()[1:4]:
        (tmp_path / photograph.name).write_bytes(photograph.encoded)
    return tmp_path


def test_a_missing_package_names_the_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    assert cli.main(["view", str(folder)]) == 1
    assert "pip install './clients[viewer]'" in capsys.readouterr().err


def test_mistakes_and_a_missing_server(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("viser")
    for arguments, code, reason in (
        ([str(folder / "none.jpg")], 2, "none.jpg"),
        ([str(folder), "--port", "x"], 2, "--port"),
        ([str(folder), "--url", "127.0.0.1:1", "--timeout", "5"], 1, "make serve"),
    ):
        try:
            assert cli.main(["view", *arguments]) == code
        except SystemExit as stop:
            assert stop.code == code
        assert reason in capsys.readouterr().err


def test_folders_and_options_reach_the_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("viser")
    taken: list[Any] = []

    @contextmanager
    def opened(client, photographs, host, port, timeout):
        taken.extend([client.url, [photograph.name for photograph in photographs], host, port, timeout])
        yield None

    monkeypatch.setattr(view_command, "opened", opened)
    monkeypatch.setattr(view_command, "stay", lambda page: None)
    options = ["--url", "127.0.0.1:8009", "--host", "0.0.0.0", "--port", "9000", "--timeout", "7"]
    assert cli.main(["view", str(folder), *options]) == 0
    assert taken == ["127.0.0.1:8009", ["1.jpg", "2.jpg", "3.jpg"], "0.0.0.0", 9000, 7.0]
