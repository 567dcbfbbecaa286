"""Completion: what the scripts offer is what the parsers take, asked of the shells themselves."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mvsam_client import cli

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture
def script(tmp_path, capsys):
    """Writes a shell's script; its path."""

    def write(shell: str) -> Path:
        assert cli.main(["completion", shell]) == 0
        path = tmp_path / f"mvsam.{shell}"
        path.write_text(capsys.readouterr().out)
        return path

    return write


@pytest.fixture
def offered(script, tmp_path):
    """What bash offers after some words, the last of which is being typed."""
    path = script("bash")
    (tmp_path / "photos of mine").mkdir()
    (tmp_path / "photo.jpg").touch()

    def ask(*words: str) -> list[str]:
        quoted = " ".join(f"'{word}'" for word in ("mvsam", *words))
        program = (
            f"source {path}; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _mvsam; "
            'printf "%s\\n" "${COMPREPLY[@]}"; complete -p mvsam'
        )
        run = subprocess.run(["bash", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert not run.stderr
        *found, bound = run.stdout.splitlines()
        assert bound == "complete -F _mvsam mvsam"
        return [word for word in found if word]

    return ask


def test_bash_offers_commands(offered):
    assert offered("") == ["segment", "encode", "view", "bench", "doctor", "completion", "evaluate"]
    assert offered("se") == ["segment"]
    assert offered("x") == []


def test_bash_offers_every_option_of_a_command(offered):
    found = offered("segment", "photo.jpg", "--")
    assert {"--click", "--box", "--out", "--url", "--json", "--token-file"} <= set(found)
    assert offered("segment", "--cl") == ["--click"]
    assert "--click" not in offered("encode", "--")


def test_bash_offers_files_folders_and_words_where_they_fit(offered):
    assert set(offered("segment", "pho")) == {"photos of mine", "photo.jpg"}
    assert offered("segment", "photo.jpg", "--out", "pho") == ["photos of mine"]
    assert offered("completion", "") == list(SHELLS)
    assert "ports" in offered("doctor", "po")
    assert offered("segment", "photo.jpg", "--url", "1") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_takes_its_script(script, shell):
    path = script(shell)
    text = path.read_text()
    assert all(option in text for option in ("token-file", "encodes", "doctor"))
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here")
    subprocess.run([shell, "-n", str(path)], check=True)


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed here")
def test_fish_offers_commands_and_options(script):
    path = script("fish")

    def offered(line: str) -> list[str]:
        program = f'source {path}; complete -C "{line}"'
        out = subprocess.check_output(["fish", "--no-config", "-c", program], text=True)
        return [each.split("\t")[0] for each in out.splitlines()]

    assert offered("mvsam se") == ["segment"]
    assert "--encodes" in offered("mvsam bench --en")
    assert offered("mvsam completion z") == ["zsh"]
