"""What large requests need of memory while they are computed, and what stays of it afterwards."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mvsam.runtime.onnx import LARGE, cpu_session, run_and_give_back
from mvsam.runtime.portions import in_portions
from server.runtime import MEMORY_GOES_BACK

WIDTH, ROWS = 1_000_000, 48
MEBIBYTE = 2**20
FREED = """
import ctypes
from pathlib import Path

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def taken(size):
    block = libc.malloc(size)
    ctypes.memset(block, 1, size)
    return block

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

libc.free(taken(31 * 2**20))  # by which glibc takes such blocks for usual
before = resident()
blocks, kept = [], []
for _ in range(16):
    blocks.append(taken(8 * 2**20))
    kept.append(taken(1000))
for block in blocks:
    libc.free(block)
print(resident() - before)
"""

REUSED = """
import ctypes
import resource

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
for step in range(101):
    if step == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(2**21)
    ctypes.memset(block, 1, 2**21)
    libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_rows_are_run_a_few_at_a_time():
    runs = []

    def run(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        runs.append(len(inputs["a"]))
        return {"sum": inputs["a"] + inputs["b"]}

    a, b = np.arange(10), np.arange(10) * 10
    assert in_portions(run, {"a": a, "b": b}, 4)["sum"].tolist() == (a + b).tolist()
    assert in_portions(run, {"a": a[:4], "b": b[:4]}, 4)["sum"].tolist() == (a + b)[:4].tolist()
    assert in_portions(run, {"a": a[:0], "b": b[:0]}, 4)["sum"].tolist() == []
    assert runs == [4, 4, 2, 4, 0]


def test_what_many_rows_needed_is_given_back(tmp_path: Path):
    session = cpu_session(_wide_graph(tmp_path / "model.onnx"), threads=1)
    run_and_give_back(session, {"x": np.ones((1, 1), np.float32)})
    before = _resident()
    (result,) = run_and_give_back(session, {"x": np.ones((ROWS, 1), np.float32)})
    assert ROWS > LARGE and np.asarray(result).tolist() == [WIDTH] * ROWS
    assert _resident() - before < ROWS * WIDTH * 4 / 2, "half of the largest tensor"


@pytest.mark.parametrize(("environment", "stays"), [({}, True), (MEMORY_GOES_BACK, False)])
def test_large_blocks_that_are_freed_go_back(environment: dict[str, str], stays: bool):
    assert (_told(FREED, environment) > 64 * MEBIBYTE) is stays


def test_smaller_blocks_are_used_again():
    pages = 100 * 2**21 // os.sysconf("SC_PAGE_SIZE")
    assert _told(REUSED, MEMORY_GOES_BACK) < pages / 10


def _told(program: str, environment: dict[str, str]) -> int:
    own = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=own | environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def _wide_graph(path: Path) -> Path:
    """x [n, 1] to the sums of n rows of a million, each of which is x."""
    nodes = [
        helper.make_node("Expand", ["x", "shape"], ["wide"]),
        helper.make_node("Exp", ["zeros"], ["ones"]),
        helper.make_node("Mul", ["wide", "ones"], ["product"]),
        helper.make_node("ReduceSum", ["product", "axes"], ["sum"], keepdims=0),
    ]
    constants = [
        helper.make_tensor("shape", TensorProto.INT64, [2], [1, WIDTH]),
        helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
        helper.make_tensor("zeros", TensorProto.FLOAT, [1, 1], [0.0]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1])
    total = helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph(nodes, "wide", [x], [total], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
