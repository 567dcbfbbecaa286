"""An installed Triton, such as its container's: whether it can serve a repository, asked before it is started."""

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mvsam.runtime.artifacts import read_manifest
from mvsam.runtime.engines import build_command, runs_with
from server import runtime
from server.runtime import UnsuitableEnvironmentError
from server.shared_libraries import ONNXRUNTIME, TENSORRT, LibraryError, version_of

BACKEND = re.compile(r'^backend: "(onnxruntime|tensorrt)"', re.MULTILINE)
ONNXRUNTIME_FOR = {23: (1, 23)}  # the first that computes graphs of an opset
ATTENTION_ON_GPU = (1, 27)  # the first whose CUDA provider is known to compute opset 23's Attention itself
VERSION_COMPATIBLE = "--backend-config=tensorrt,version-compatible=true"
DEVICES = Path("/dev")

logger = logging.getLogger(__name__)


def arguments_for(folder: Path, repository: Path) -> list[str]:
    """Checks an installed Triton against the graphs and engines of a repository.

    What it serves badly, and what can be done, is logged.

    Args:
        folder: of the installation, such as /opt/tritonserver.
        repository: an assembled one.

    Returns:
        What `tritonserver` must be told to serve it.

    Raises:
        UnsuitableEnvironmentError: it cannot serve it; the message says what to change.
        ArtifactError: a graph has no manifest.
    """
    triton = runtime.installed(folder)
    manifests: dict[str, dict[str, dict[str, Any]]] = {}
    for backend, model, manifest in _graphs(repository):
        manifests.setdefault(backend, {})[model] = manifest
    for backend, of_models in manifests.items():
        library = triton.backends / backend / f"libtriton_{backend}.so"
        if (triton.backends / backend / "model.py").is_file():
            continue  # a Python-based backend, which brings its own
        if not library.is_file():
            raise UnsuitableEnvironmentError(
                f"Triton in {folder} has no backend {backend}; take a container that has it, such as "
                "nvcr.io/nvidia/tritonserver:26.07-py3"
            )
        check = _check_onnxruntime if backend == "onnxruntime" else _check_tensorrt
        try:
            check(folder, library, of_models, triton.environment)
        except LibraryError as error:
            raise UnsuitableEnvironmentError(f"Triton's backend {backend} cannot be used: {error}") from None
    engines = manifests.get("tensorrt", {}).values()
    return [VERSION_COMPATIBLE] if any(engine["options"]["version_compatible"] for engine in engines) else []


def _graphs(repository: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Backend, model and manifest of everything that a runtime computes."""
    for config in sorted(repository.glob("*/config.pbtxt")):
        if backend := BACKEND.search(config.read_text()):
            yield backend[1], config.parent.name, read_manifest(config.parent / "1")


def _check_onnxruntime(
    folder: Path, library: Path, manifests: Mapping[str, Mapping[str, Any]], environment: Mapping[str, str]
) -> None:
    there = version_of(ONNXRUNTIME, library, environment)
    numbers = tuple(int(number) for number in re.findall(r"\d+", there)[:2])
    opset = max(manifest.get("opset", 0) for manifest in manifests.values())
    least = ONNXRUNTIME_FOR.get(opset, (0, 0))
    if numbers < least:
        raise UnsuitableEnvironmentError(
            f"Triton in {folder} has ONNX Runtime {there}, and the graphs (opset {opset}) need "
            f"{'.'.join(map(str, least))} or later: take Triton's container 25.08 or later, on a GPU 26.07 or later"
        )
    if not any(DEVICES.glob("nvidia[0-9]*")):
        logger.warning(
            "without a GPU the threads of Triton's onnxruntime backend spin while they have nothing to do and slow "
            "ensembles down where the CPU is busy; docs/operations.md says what can be done"
        )
    elif numbers < ATTENTION_ON_GPU:
        logger.warning(
            "ONNX Runtime %s of Triton in %s may compute attention on the CPU, which is slow: take Triton's container "
            "26.07 or later, or serve engines (RUNTIME=tensorrt)", there, folder,
        )  # fmt: skip


def _check_tensorrt(
    folder: Path, library: Path, manifests: Mapping[str, Mapping[str, Any]], environment: Mapping[str, str]
) -> None:
    there = version_of(TENSORRT, library, environment)
    for model, manifest in manifests.items():
        if not runs_with(manifest, there):
            raise UnsuitableEnvironmentError(
                f"the engine of {model} belongs to TensorRT {manifest['machine']['tensorrt']}, and Triton in {folder} "
                f"has {there}: pip install tensorrt=={there} and build them with it (`{build_command(manifest)}`), or "
                "take the container that has the engines' version"
            )
