"""Rows of arrays in GPU memory: the right addresses, on a stand-in whose memory is the CPU's."""

import ctypes
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from mvsam.runtime.tensorrt import DeviceRows

freed: list[int] = []


class Memory:
    """As polygraphy.cuda.DeviceArray."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.array = np.zeros(shape, dtype)
        self.ptr = self.array.ctypes.data

    def copy_from(self, array: np.ndarray) -> None:
        self.array[...] = array

    def free(self) -> None:
        freed.append(self.ptr)

    def numpy(self) -> np.ndarray:
        return self.array.copy()


def view(address: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """As polygraphy.cuda.DeviceView, read at once."""
    size = int(np.prod(shape)) * dtype.itemsize
    return np.frombuffer(ctypes.string_at(address, size), dtype).reshape(shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_rows_lie_where_they_are_looked_for(monkeypatch, dtype):
    rng = np.random.default_rng(0)
    monkeypatch.setitem(sys.modules, "polygraphy.cuda", SimpleNamespace(DeviceArray=Memory, DeviceView=view))
    array = rng.normal(size=(5, 3, 2)).astype(dtype)
    rows = DeviceRows(array)
    assert rows.nbytes == array.nbytes
    for part in (slice(0, 2), slice(3, 5), slice(4, 5), slice(0, 5)):
        assert np.array_equal(rows[part], array[part])
    assert np.array_equal(np.asarray(rows), array)
    address = rows._memory.ptr
    del rows
    assert freed == [address], "scenes come and go, and their memory with them"
    freed.clear()
