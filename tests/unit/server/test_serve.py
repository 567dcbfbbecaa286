"""Options of `python -m server.serve` that cannot work are refused before anything starts."""

from pathlib import Path

import pytest

from server.launcher import _make_log  # pyright: ignore[reportPrivateUsage]
from server.serve import main
from server.tokens import read_tokens


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--grpc-port", "99999"], "'99999' is no port; write a number from 1 to 65535"),
        (["--http-port", "-1"], "'-1' is no port"),
        (["--http-port", "http"], "'http' is no port"),
        (["--grpc-port", "8005", "--http-port", "8005"], "are both 8005; choose two ports"),
    ],
)
def test_ports_that_are_none_are_refused(options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--repository", "nowhere", *options])
    assert ended.value.code == 2 and says in capsys.readouterr().err


def test_a_file_of_tokens_that_is_not_there_is_told_with_its_option(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--tokens .*none\.toml cannot be read \(No such file or directory\)"):
        read_tokens(tmp_path / "none.toml")


def test_the_log_of_a_server_that_crashed_outlives_its_restart(tmp_path: Path) -> None:
    log = tmp_path / "triton.log"
    log.write_text("the last words")
    _make_log(log)
    assert log.read_text() == ""
    former = tmp_path / "triton.log.1"
    assert former.read_text() == "the last words" and former.stat().st_mode & 0o777 == 0o600
