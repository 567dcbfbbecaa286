"""Which libraries a program is linked to, and what version they say they are.

A version is asked in a process of its own, which this file is when it is run: a library stays where it is once loaded,
and those of CUDA take seconds and gigabytes.
"""

import ctypes
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ONNXRUNTIME, TENSORRT = "libonnxruntime", "libnvinfer"
PATIENCE = 120  # seconds


class LibraryError(RuntimeError):
    """A library is not found, or cannot be loaded."""


def linked(binary: Path, environment: Mapping[str, str]) -> dict[str, Path | None]:
    """Returns what a program or library is linked to, by name, and where that is found, None where nowhere."""
    told = subprocess.run(
        ["ldd", binary], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    found = re.findall(r"^\s+(\S+) => (not found|\S+)", told.stdout, re.MULTILINE)
    return {name: None if path == "not found" else Path(path) for name, path in found}


def version_of(library: str, binary: Path, environment: Mapping[str, str]) -> str:
    """Returns the version of a library that another is linked to.

    Args:
        library: ONNXRUNTIME or TENSORRT.
        binary: the one that is linked to it.
        environment: that it will be loaded in.

    Raises:
        LibraryError: it is not linked to it, or cannot be loaded; the message is the loader's.
    """
    path = next((path for name, path in linked(binary, environment).items() if name.startswith(f"{library}.so")), None)
    if path is None:
        raise LibraryError(f"{binary}: the loader does not find its {library}")
    command = [sys.executable, "-P", __file__, library, path]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if told.returncode:
        raise LibraryError(f"{path} cannot be loaded: {told.stderr.strip().rpartition(chr(10))[2]}")
    return told.stdout.strip()


class _OrtApiBase(ctypes.Structure):
    _fields_ = (("get_api", ctypes.c_void_p), ("get_version", ctypes.CFUNCTYPE(ctypes.c_char_p)))


def _onnxruntime(loaded: ctypes.CDLL) -> str:
    loaded.OrtGetApiBase.restype = ctypes.POINTER(_OrtApiBase)
    return loaded.OrtGetApiBase().contents.get_version().decode()


def _tensorrt(loaded: ctypes.CDLL) -> str:
    parts = ("Major", "Minor", "Patch", "Build")
    return ".".join(str(getattr(loaded, f"getInferLib{part}Version")()) for part in parts)


if __name__ == "__main__":
    ask = {ONNXRUNTIME: _onnxruntime, TENSORRT: _tensorrt}[sys.argv[1]]
    print(ask(ctypes.CDLL(sys.argv[2])))
