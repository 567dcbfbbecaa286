"""NVIDIA's driver, and the packages that use the GPU."""

import importlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from mvsam_client.doctor import Finding, Machine, ok, problem, warning

QUERY = "--query-gpu=name,driver_version,memory.total,memory.used,compute_cap"
LEAST_DRIVER = 580  # of CUDA 13, which the packages of the extra `gpu` are built for
CUDA = "CUDAExecutionProvider"
INSTALL = "pip uninstall -y onnxruntime && pip install -e '.[gpu]'"


class Card(NamedTuple):
    """As nvidia-smi lists it; memory in MiB."""

    name: str
    driver: str
    total: int
    used: int
    capability: str


def onnxruntime_providers() -> list[str]:
    """What the installed ONNX Runtime can compute with.

    Raises:
        ImportError: it cannot be loaded.
    """
    return importlib.import_module("onnxruntime").get_available_providers()


def examine(machine: Machine, providers: Callable[[], list[str]] = onnxruntime_providers) -> Iterator[Finding]:
    """From the driver to the provider.

    Args:
        machine: with or without a GPU.
        providers: of the installed ONNX Runtime.
    """
    said = machine.run("nvidia-smi", QUERY, "--format=csv,noheader,nounits")
    if said is None:
        yield _without_tool(machine)
        return
    cards = [card for line in said.text.splitlines() if (card := _card(line))]
    if said.code or not cards:
        yield problem(
            f"nvidia-smi fails: {said.text.splitlines()[0] if said.text else f'exit code {said.code}'}",
            "The driver and the kernel's module do not fit together, or no card is visible: nothing can use the GPU.",
            "restart the machine (after an update of the driver that is needed), else install the driver anew; a "
            "container must be started with --gpus all",
        )
        return
    for card in cards:
        yield ok(
            f"{card.name}, driver {card.driver}, {card.used} of {card.total} MiB used, capability {card.capability}"
        )
    driver = cards[0].driver
    if not driver.partition(".")[0].isdigit() or int(driver.partition(".")[0]) < LEAST_DRIVER:
        yield problem(
            f"the driver is {driver}",
            f"The packages for GPUs (extra `gpu`) are built for CUDA 13, which needs {LEAST_DRIVER} or newer.",
            f"install driver {LEAST_DRIVER} or newer from NVIDIA or the distribution, and restart",
        )
    yield from _packages(machine, providers)


def _without_tool(machine: Machine) -> Finding:
    if (machine.processes / "driver" / "nvidia" / "version").is_file():
        return warning(
            "NVIDIA's driver is loaded, but there is no nvidia-smi on PATH",
            "In a container that was given no GPU it is so: nothing can use the GPU.",
            "start the container with --gpus all, or install the driver's tools",
        )
    return ok("no NVIDIA GPU is here: the CPU computes")


def _packages(machine: Machine, providers: Callable[[], list[str]]) -> Iterator[Finding]:
    missing = [name for name in ("tensorrt", "onnxruntime-gpu", "cuda-bindings") if name not in machine.packages]
    if missing:
        yield warning(
            f"there is a GPU, but {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed",
            "The server computes on the CPU, some hundred times slower.",
            f"{INSTALL}, then make engines and make serve RUNTIME=tensorrt",
        )
    if "onnxruntime-gpu" not in machine.packages:
        return
    try:
        found = providers()
    except ImportError as error:
        yield problem(f"ONNX Runtime cannot be loaded: {error}", "It computes nothing.", INSTALL)
        return
    if CUDA not in found:
        yield problem(
            f"onnxruntime-gpu is installed, but what is loaded knows {', '.join(found)} only, not {CUDA}",
            "The package onnxruntime was installed over it, or was and is gone again.",
            f"pip uninstall -y onnxruntime-gpu && {INSTALL}",
        )
    else:
        yield ok(f"ONNX Runtime knows {CUDA}")


def _card(line: str) -> Card | None:
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != len(Card._fields) or not (fields[2].isdigit() and fields[3].isdigit()):
        return None
    return Card(fields[0], fields[1], int(fields[2]), int(fields[3]), fields[4])
