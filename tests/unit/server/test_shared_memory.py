"""Shared memory with too little room, or open to everybody: said at the start, to operators and to clients."""

import logging
import shutil
from collections import namedtuple
from pathlib import Path

import grpc
import pytest

from server import shared_memory
from server.runtime import UnsuitableEnvironmentError
from server.shared_memory import check_private, check_room, refusal_where_full
from server.texts import is_fit_for_clients, own_words

MIB = 1 << 20
Usage = namedtuple("Usage", "total used free")
ADVICE = "If you are running Triton inside docker, use '--shm-size' flag to control the shared memory region size."
FULL = (
    f"Failed to increase the shared memory pool size for key 'mvsam_7_0123abcd_9f' to 4096 bytes. {ADVICE} Error: No "
    "space left on device",
    f"Unable to initialize shared memory key 'mvsam_7_0123abcd_9f' to requested size (1048576 bytes). {ADVICE}",
    "Failed to create new mapped region for the grown shared memory region 'mvsam_7_0123abcd_9f'.",
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.pbtxt").touch()
    return tmp_path


@pytest.mark.parametrize(("total", "free", "says"), [(64, 60, "64 MiB in all, too little"), (300, 300, "")])
def test_little_room_is_told_at_the_start_with_a_remedy(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    total: int,
    free: int,
    says: str,
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(total * MIB, 0, free * MIB))
    check_room(repository)
    assert len(caplog.messages) == bool(says)
    assert all(says in line and "--shm-size" in line for line in caplog.messages)


def test_too_little_to_start_is_refused(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(64 * MIB, 0, 2 * MIB))
    with pytest.raises(UnsuitableEnvironmentError, match=r"2 MiB free, and 3 models take 1 MiB each.*--shm-size"):
        check_room(repository)


@pytest.mark.parametrize("text", FULL)
def test_where_it_is_full_clients_get_one_sentence_and_operators_another(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    refused = refusal_where_full(text)
    assert refused is not None and refused.status is grpc.StatusCode.UNAVAILABLE
    assert "send fewer or smaller photographs" in str(refused) and is_fit_for_clients(str(refused))
    assert not any(word in str(refused) for word in ("mvsam_", "docker", "--shm-size", "/dev/shm"))
    (line,) = caplog.messages
    assert "/dev/shm is full" in line and "--shm-size" in line


def test_what_models_say_of_it_reaches_clients_word_for_word() -> None:
    sentence = str(refusal_where_full(FULL[0]))
    text = f"in ensemble 'mvsam', UNAVAILABLE: {sentence}"
    assert refusal_where_full(text) is None and own_words(text) == ("UNAVAILABLE", sentence)


def test_segments_that_everybody_can_read_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(shared_memory, "SHARED_MEMORY", tmp_path)
    for name, mode in (("own_1", 0o600), ("others_1", 0o644)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    check_private("own_")
    assert not caplog.messages
    check_private("others_")
    assert "other users of this machine can read" in caplog.text
