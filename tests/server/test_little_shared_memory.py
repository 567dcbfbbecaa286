"""A container's /dev/shm of a few megabytes: what does not fit is refused in words, and what fits is answered."""

import contextlib
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.server.launching import said_until_ready, start_serving, write_ensemble
from tests.server.wire import Tensors, Wire, files, floats, integers
from tests.waiting import PATIENCE

SMALL = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=16m tmpfs /dev/shm && exec "$@"', "sh"]
CLICK: Tensors = {"POINTS": floats([[[4, 3]]]), "POINT_LABELS": integers([[1]]), "POINT_VIEWS": integers([[0]])}


def test_what_does_not_fit_is_refused_in_words(spoilt_repository: Path, tmp_path: Path) -> None:
    if subprocess.run([*SMALL, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount anything")
    write_ensemble(spoilt_repository, answers=True)
    process = start_serving(spoilt_repository, tmp_path / "log", inside=SMALL)
    try:
        said = said_until_ready(process)
        address = re.search(r"gRPC +(\S+)", said)
        assert address, said
        assert re.search(r"/dev/shm has 16 MiB in all.*--shm-size", said)
        with contextlib.closing(Wire(address[1])) as wire:
            refused = wire.ask("mvsam", {"IMAGES": files(bytes(40 << 20)), **CLICK}, ("AREAS",))
            assert refused.status == "UNAVAILABLE", refused
            assert refused.message.startswith("the server has too little shared memory for this request; send fewer")
            answered = wire.ask("mvsam", {"IMAGES": files(b"small", b"small"), **CLICK}, ("AREAS",))
            assert answered.status == "OK" and np.frombuffer(answered.outputs[0], np.int64).tolist() == [0, 0]
    finally:
        process.terminate()
        rest, _ = process.communicate(timeout=PATIENCE)
    assert "/dev/shm is full; start the container with --shm-size" in rest
