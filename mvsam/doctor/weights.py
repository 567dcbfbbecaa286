"""Weights on disk: there, whole, and what they were at first use."""

from collections.abc import Iterator
from pathlib import Path

from mvsam.networks.pins import read_pins
from mvsam.networks.presets import NETWORKS, PINS
from mvsam.networks.weight_files import CheckpointError, fault_of
from mvsam.runtime.artifacts import sha256
from mvsam_client.doctor import Finding, Machine, ok, problem, warning

DEMO = "demo"
SHIPPED = (DEMO, "demo_photographs")  # their weights are part of the project
OFFICIAL = "official"  # files that presets' weights are made of


def examine(machine: Machine) -> Iterator[Finding]:
    """The demo's weights, and those of every other preset that has some."""
    folder = machine.project / "weights"
    if not folder.is_dir():
        yield warning(
            f"{folder} does not exist",
            "Where graphs are exported, weights are read from there.",
            "run this in the project's folder, or name that with --project DIR; `git checkout weights` brings the "
            "demo's back",
        )
        return
    try:
        pins = read_pins(folder)
    except CheckpointError as error:
        yield problem(
            str(error).rpartition(": ")[0],
            "Weights cannot be compared with what they were, and are not loaded.",
            f"remove it, if you trust the weights that are there: rm {folder / PINS}",
        )
        return
    presets = sorted({DEMO, *(path.name for path in folder.iterdir() if path.is_dir() and path.name != OFFICIAL)})
    for path in sorted((folder / OFFICIAL).glob("*.*")):
        if path.is_file() and (fault := fault_of(path)):
            yield problem(
                f"{path} {fault}",
                "No weights can be made of it.",
                "download it again from where `make weights` says",
            )
    for preset in presets:
        yield from _examined(folder, preset, pins)


def _examined(folder: Path, preset: str, pins: dict[str, str]) -> Iterator[Finding]:
    whole = []
    for network in NETWORKS:
        name = f"{preset}/{network}.safetensors"
        path = folder / name
        if not path.is_file():
            yield _missing(path, preset, network)
        elif fault := fault_of(path):
            yield problem(f"{path} {fault}", "It cannot be loaded.", _restored(folder, preset))
        elif name in pins and sha256(path) != pins[name]:
            yield problem(
                f"{path} is not the file that was pinned at its first use (its SHA-256 differs)",
                "It is refused: whoever changed it may not have meant to.",
                f"{_restored(folder, preset)}; or, if the change is meant, remove its line from {folder / PINS}",
            )
        else:
            whole.append(network)
    if len(whole) == len(NETWORKS):
        pinned = all(f"{preset}/{network}.safetensors" in pins for network in NETWORKS)
        yield ok(f"weights of {preset}: {'as at their first use' if pinned else 'whole; not used yet'}")


def _missing(path: Path, preset: str, network: str) -> Finding:
    if preset in SHIPPED:
        return problem(
            f"{path} does not exist",
            f"Preset {preset} cannot be exported with trained weights.",
            f"it is part of the project: git checkout weights/{preset}",
        )
    remedy = f"`make weights PRESET={preset}` says which official file to put where, and converts it"
    if network == "mask_decoder":
        remedy = (
            f"train it and install it (python -m mvsam.training install --preset {preset} --run DIR), or serve "
            f"SAM2's own decoder: make serve PRESET={preset} DECODER=projection"
        )
    return warning(f"{path} does not exist", f"Preset {preset} cannot be exported with trained weights.", remedy)


def _restored(folder: Path, preset: str) -> str:
    if preset in SHIPPED:
        return f"put the original back: git checkout weights/{preset}"
    return (
        f"put the original back: remove it and `make weights PRESET={preset}`, or, of a decoder of your own, its copy"
    )
