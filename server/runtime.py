"""The Triton server inside the `nvidia-pytriton` wheel, arranged so that it serves our model repository.

The wheel carries `tritonserver`, its Python backend and one stub (the process that hosts a Python model) per Python
version, but none of the C++ graph backends. This module lays out a backend folder that pairs the stub of the running
Python with `server/backends/`, Python-based backends that answer to the names in the config.pbtxt files, and refuses
early the surroundings in which Triton would stay silent: it hangs without `libpython`, and returns wrong tensors with
numpy 2.
"""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from server.shared_libraries import linked

OUR_BACKENDS = Path(__file__).parent / "backends"

# Of the C library (glibc): what is freed goes back to the system at once if it is large, and does not stay with whoever
# had it once; left to itself, it raises the first limit to 32 MB. Who sets that one has to set the second one too: it
# stays at 128 KiB otherwise, and a click's megabytes would come from the system and go back with every call.
MEMORY_GOES_BACK = {
    "MALLOC_MMAP_THRESHOLD_": str(4 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(16 * 2**20),
    "MALLOC_ARENA_MAX": "4",
}


class UnsuitableEnvironmentError(RuntimeError):
    """This machine or environment cannot run the embedded server; the message says what to change."""


@dataclass(frozen=True)
class Runtime:
    """What a launch needs: the program, its plug-in folders, and the environment to start it in."""

    executable: Path
    backends: Path
    caches: Path
    environment: dict[str, str]


def assemble(folder: Path) -> Runtime:
    """Lays out the backends below `folder` (empty, and gone with the server) for the running Python.

    Raises:
        UnsuitableEnvironmentError: the wheel, its stub, `libpython` or a fitting numpy is missing.
    """
    _check_packages()
    _check_path(folder, "the temporary folder; set TMPDIR to another")
    wheel = _wheel()
    environment = _environment()

    python_backend = folder / "backends" / "python"
    python_backend.mkdir(parents=True)
    stub = _stub(wheel)
    # A copy: Triton refuses a backend library that a symbolic link takes out of its folder. The stub is linked instead,
    # because it finds its own libraries from where it really lies.
    shutil.copy(wheel / "backends" / "python" / "libtriton_python.so", python_backend)
    for file in (stub, wheel / "backends" / "python" / "triton_python_backend_utils.py"):
        (python_backend / file.name).symlink_to(file)
    for backend in OUR_BACKENDS.iterdir():
        (folder / "backends" / backend.name).symlink_to(backend.resolve())

    _check_stub_starts(python_backend / stub.name, environment)
    return Runtime(wheel / "bin" / "tritonserver", folder / "backends", wheel / "caches", environment)


def installed(folder: Path) -> Runtime:
    """A whole Triton, as its container has it under /opt/tritonserver, with C++ backends of its own.

    Raises:
        UnsuitableEnvironmentError: it is none, the package `mvsam` is not installed for its Python models, or those
            would run in another Python than this one.
    """
    executable = folder / "bin" / "tritonserver"
    if not executable.is_file():
        raise UnsuitableEnvironmentError(f"{executable} does not exist; name the folder of an installed Triton")
    _check_path(folder, "an installed Triton; name it by another path")
    _check_installed()
    environment = _environment()
    stub = folder / "backends" / "python" / "triton_python_backend_stub"
    if not stub.is_file():
        raise UnsuitableEnvironmentError(f"{stub} does not exist; name an installed Triton with its Python backend")
    _check_stub_python(stub, environment)
    _check_stub_starts(stub, environment)
    return Runtime(executable, folder / "backends", folder / "caches", environment)


def check_repository(repository: Path) -> None:
    """Refuses a model repository that Triton would ignore without a word.

    Raises:
        UnsuitableEnvironmentError: it is missing, holds no model, or has white space in its path.
    """
    if not any(repository.glob("*/config.pbtxt")):
        raise UnsuitableEnvironmentError(
            f"{repository}: no <model>/config.pbtxt in this folder; name an assembled model repository "
            "(make repository builds one)"
        )
    _check_path(repository.resolve(), "the model repository; move it to another folder")


def _check_path(path: Path, what: str) -> None:
    if any(character.isspace() for character in str(path)):
        raise UnsuitableEnvironmentError(f"{path}: Triton never gets ready with white space in the path of {what}")


def _check_packages() -> None:
    numpy = importlib.metadata.version("numpy")
    if int(numpy.split(".")[0]) >= 2:
        raise UnsuitableEnvironmentError(
            f"numpy {numpy} is installed, and with numpy 2 the bundled Triton hands wrong tensors to Python models; "
            "install numpy 1.26.4 (make setup does)"
        )
    _check_installed()


def _check_installed() -> None:
    try:
        importlib.metadata.version("mvsam")
    except importlib.metadata.PackageNotFoundError:
        raise UnsuitableEnvironmentError(
            "the package mvsam is not installed, and Triton's Python models ignore PYTHONPATH; install it into "
            f"{sys.prefix} (make setup does)"
        ) from None


def _wheel() -> Path:
    """The `tritonserver` folder of the wheel, found without importing the wheel's own Python code."""
    package = importlib.util.find_spec("pytriton")
    folders = package.submodule_search_locations if package else None
    if not folders:
        raise UnsuitableEnvironmentError(
            "nvidia-pytriton, which carries the embedded Triton server, is not installed (Linux x86-64 only); "
            "make setup installs it"
        )
    return Path(folders[0]) / "tritonserver"


def _stub(wheel: Path) -> Path:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = wheel / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.is_file():
        offered = ", ".join(sorted(folder.name for folder in stub.parent.parent.iterdir()))
        raise UnsuitableEnvironmentError(f"the embedded Triton has no stub for Python {version}; run one of {offered}")
    return stub


def _check_stub_python(stub: Path, environment: Mapping[str, str]) -> None:
    """A stub finds packages in this environment only if it is of the same Python."""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    for name in linked(stub, environment):
        library = re.match(r"libpython(\d+\.\d+)", name)
        if library and library[1] != ours:
            raise UnsuitableEnvironmentError(
                f"{stub} runs Triton's Python models in Python {library[1]}, and this environment is of Python {ours}: "
                f"make it anew with the other (make setup PYTHON=python{library[1]})"
            )


def _environment() -> dict[str, str]:
    """Ours, with what the stub goes by: the first `python3` on PATH, and the `libpython` it is linked to."""
    # ONNX Runtime reports its use over the network unless it is told not to before it is loaded.
    environment = MEMORY_GOES_BACK | os.environ | {"ORT_DISABLE_TELEMETRY": "1"}
    python_folder = Path(sys.executable).parent
    if not (python_folder / "python3").exists():
        raise UnsuitableEnvironmentError(
            f"{python_folder} holds no `python3`, by which Triton's Python models find their packages; "
            "start from a virtual environment (make setup makes one)"
        )
    environment["PATH"] = _prepend(str(python_folder), environment.get("PATH"))
    libraries = sysconfig.get_config_var("LIBDIR")
    environment["LD_LIBRARY_PATH"] = _prepend(libraries, environment.get("LD_LIBRARY_PATH"))
    return environment


def _prepend(folder: str, paths: str | None) -> str:
    return f"{folder}{os.pathsep}{paths}" if paths else folder


def _check_stub_starts(stub: Path, environment: dict[str, str]) -> None:
    """Runs the stub without arguments: it complains and leaves, unless the loader cannot start it at all."""
    loader_failed = 127
    trial = subprocess.run([stub], env=environment, capture_output=True, text=True, timeout=60, check=False)
    if trial.returncode == loader_failed:
        raise UnsuitableEnvironmentError(
            f"Triton's Python stub does not start: {trial.stderr.strip()}. It needs the shared libpython of "
            f"{sys.executable}: install libpython{sys.version_info.major}.{sys.version_info.minor}, or use a Python "
            "built with --enable-shared"
        )
