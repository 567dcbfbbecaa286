"""Without these a figure is not a result: the machine, the libraries, the commit, and what else was running."""

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from mvsam.cores import available_cores

LIBRARIES = ("torch", "onnxruntime", "onnxruntime-gpu", "tensorrt", "sam2")
BUSY = 0.25  # processes that want to run, for every core, beyond which figures are not of a quiet machine


def provenance(command: str, device: torch.device) -> dict[str, Any]:
    """As JSON holds it; to be asked for before anything is run."""
    load, cores = os.getloadavg()[0], available_cores()
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "command": command,
        "cpu": f"{_cpu()}, {cores} cores",
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "load before": round(load, 2),
        "quiet": load < BUSY * cores,
        "versions": {name: found for name in LIBRARIES if (found := _version(name))},
    }


def _commit() -> str:
    """Of the code; a mark says that files differ from it."""
    said = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return said.stdout.strip() or "unknown"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
