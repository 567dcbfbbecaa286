"""What the siege measures with: memory of several processes, and what an honest client may be told."""

import mmap
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from server.trials.attacks.http2 import Connection
from server.trials.honest_client import Answered, judged
from server.trials.memory import Peak, proportional_size, sizes

MEBIBYTE = 2**20
CHILD = """
import sys
taken = b"x" * (64 * 2**20)
print("taken", flush=True)
sys.stdin.read()
"""
SHARING = """
import mmap, sys
with open(sys.argv[1], "r+b") as file:
    mapped = mmap.mmap(file.fileno(), 0)
    mapped.read().count(b"x")
    print("read", flush=True)
    sys.stdin.read()
"""


def click(kind: str = "right", seconds: float = 0.1) -> Answered:
    return Answered("click", 10.0, 10.0 + seconds, kind)


@pytest.mark.parametrize(
    ("answers", "is_well"),
    [
        ([click(), click(seconds=4.9)], True),
        ([click(), click(seconds=5.1)], False),
        ([click(), click("wrong mask")], False),
        ([click(), click("ServerBusyError: take a number")], False),
        ([click(), click("ServerNotReadyError: soon")], False),
        ([click(), Answered("encode", 0.0, 30.0, "right")], True),
        ([click(), Answered("encode", 0.0, 1.0, "ServerBusyError: no")], False),
        ([Answered("encode", 0.0, 1.0, "right")], False),
        ([], False),
    ],
)
def test_an_honest_client_is_answered_rightly_and_in_time(answers: list[Answered], is_well: bool):
    assert judged(answers)[1] is is_well


def test_an_outage_is_forgiven_where_it_is_part_of_the_attack():
    assert judged([click(), click("ServerNotReadyError: soon")], outage=True)[1]
    assert not judged([click(), click("ServerBusyError: no")], outage=True)[1]


def test_what_went_wrong_is_said():
    said, _ = judged([click(seconds=1.25), click("wrong mask")])
    assert said == "slowest click of 2 1.25 s; 1 not right: wrong mask"


def test_memory_of_all_processes_is_counted_by_name():
    with subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout and child.stdout.readline() == b"taken\n"
        found = sizes(os.getpid())
        assert found["service"] == pytest.approx(proportional_size(os.getpid()), rel=0.2)
        assert sum(found.values()) - found["service"] > 64 * MEBIBYTE
        assert sizes(child.pid)["service"] > 64 * MEBIBYTE
    assert sizes(child.pid) == {}


def test_what_processes_share_is_counted_once(tmp_path: Path):
    file = tmp_path / "shared"
    file.write_bytes(b"x" * 64 * MEBIBYTE)
    before = sum(sizes(os.getpid()).values())
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as here:
        assert here.read().count(b"x") == 64 * MEBIBYTE
        command = [sys.executable, "-c", SHARING, str(file)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.stdout and child.stdout.readline() == b"read\n"
            grown = sum(sizes(os.getpid()).values()) - before
    assert 60 * MEBIBYTE < grown < 110 * MEBIBYTE


def test_a_peak_is_of_all_at_one_time_and_of_each_at_any():
    peak = Peak()
    peak.add({"a": 3, "b": 1})
    peak.add({"a": 1, "b": 2})
    assert peak.total == 4 and peak.processes == {"a": 3, "b": 2}


def test_the_end_of_a_call_is_read():
    def refuse(call: Any) -> Any:
        def behave(request: bytes, context: grpc.ServicerContext) -> None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED if request else grpc.StatusCode.INTERNAL, "no")

        return grpc.unary_unary_rpc_method_handler(behave)

    handler = type("Handler", (grpc.GenericRpcHandler,), {"service": lambda self, call: refuse(call)})()
    server = grpc.server(ThreadPoolExecutor(1), [handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        for message, status in ((b"x" * MEBIBYTE, "12"), (b"", "13")):
            connection = Connection(f"127.0.0.1:{port}")
            call = connection.call("ModelInfer")
            connection.message(call, message)
            connection.finish(call)
            assert connection.status(call, 60) == status
            connection.close()
    finally:
        server.stop(None).wait()
