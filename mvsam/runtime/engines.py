"""Engines on disk: a plan runs on one TensorRT version and one kind of GPU, and is loaded only where its manifest says
both, and that its masks were accepted."""

import importlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mvsam.runtime.artifacts import ArtifactError, verified

PLAN = "model.plan"


class NoGpuError(RuntimeError):
    """There is no GPU here, or nothing to reach it with."""


@dataclass(frozen=True)
class Machine:
    """What an engine is bound to.

    Attributes:
        tensorrt: version of the library.
        driver: CUDA version that the driver offers.
        gpu: name of the card.
        capability: its compute capability.
        memory: its bytes.
    """

    tensorrt: str
    driver: str
    gpu: str
    capability: str
    memory: int

    @classmethod
    def here(cls) -> "Machine":
        """The first visible GPU.

        Raises:
            NoGpuError: none, or no TensorRT.
        """
        try:
            library = version("tensorrt")
            cuda = importlib.import_module("cuda.bindings.runtime")
        except (PackageNotFoundError, ImportError) as error:
            raise NoGpuError(
                f"TensorRT or CUDA's bindings are not installed ({error}): pip install -e '.[gpu]'"
            ) from None
        failed, count = cuda.cudaGetDeviceCount()
        if int(failed) or not count:
            raise NoGpuError("CUDA finds no GPU: engines are built and run where `nvidia-smi` lists one")
        _, properties = cuda.cudaGetDeviceProperties(0)
        _, driver = cuda.cudaDriverGetVersion()
        return cls(
            tensorrt=library,
            driver=f"{driver // 1000}.{driver % 1000 // 10}",
            gpu=properties.name.decode(),
            capability=f"{properties.major}.{properties.minor}",
            memory=properties.totalGlobalMem,
        )


def build_command(manifest: Mapping[str, Any]) -> str:
    """The command that builds an engine anew where it is to run."""
    return f"make engines PRESET={manifest['preset']} PRECISION={manifest['precision']}"


def check_engine(folder: Path, machine: Machine) -> dict[str, Any]:
    """The manifest of an engine that may be loaded here.

    Raises:
        ArtifactError: a file is not what the manifest says, the masks were not accepted, or the engine belongs to
            another TensorRT or another kind of GPU; the message ends with the command that builds it anew.
    """
    manifest = verified(folder)
    if "machine" not in manifest:
        raise ArtifactError(f"{folder} holds no engine: build one with `make engines`")
    remedy = f"build it here with `{build_command(manifest)}`"
    if not manifest.get("accepted"):
        raise ArtifactError(f"the engine in {folder} was never accepted (its masks were not compared): {remedy}")
    built = manifest["machine"]
    options = manifest["options"]
    if not runs_with(manifest, machine.tensorrt):
        raise ArtifactError(
            f"the engine in {folder} belongs to TensorRT {built['tensorrt']}, here is {machine.tensorrt}: {remedy}"
        )
    newer = _numbers(machine.capability) >= _numbers(built["capability"])
    if built["capability"] != machine.capability and not (options["hardware_compatible"] and newer):
        raise ArtifactError(
            f"the engine in {folder} was built for {built['gpu']} (compute capability {built['capability']}), "
            f"here is {machine.gpu} ({machine.capability}): {remedy}"
        )
    return manifest


def runs_with(manifest: Mapping[str, Any], tensorrt: str) -> bool:
    """Whether a TensorRT can run an engine: the version that built it, and where the engine is built for that
    (`version_compatible`) any later one of the same major version."""
    built, here = _numbers(manifest["machine"]["tensorrt"]), _numbers(tensorrt)
    later = built[0] == here[0] and here >= built
    return built == here or (manifest["options"]["version_compatible"] and later)


def described(machine: Machine) -> dict[str, Any]:
    """A machine as manifests hold it."""
    return asdict(machine)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
