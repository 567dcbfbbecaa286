"""Weights on disk: there, whole, and what they were at first use."""

import json
from collections.abc import Iterator
from pathlib import Path

from mvsam.networks.presets import NETWORKS, PINS
from mvsam.runtime.artifacts import sha256
from mvsam_client.doctor import Finding, Machine, ok, problem, warning

DEMO = "demo"  # its weights are part of the project
OFFICIAL = "official"  # files that presets' weights are made of
HEADER_LIMIT = 100_000_000  # bytes, as the safetensors library has it


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
    except ValueError as error:
        yield problem(
            f"{folder / PINS} is no list of hashes ({error})",
            "Weights cannot be compared with what they were, and are not loaded.",
            f"remove it, if you trust the weights that are there: rm {folder / PINS}",
        )
        return
    presets = sorted({DEMO, *(path.name for path in folder.iterdir() if path.is_dir() and path.name != OFFICIAL)})
    for preset in presets:
        yield from _examined(folder, preset, pins)


def read_pins(folder: Path) -> dict[str, str]:
    """SHA-256 by file, relative to the folder of weights; empty before their first use.

    Raises:
        ValueError: the file holds something else.
    """
    path = folder / PINS
    if not path.is_file():
        return {}
    found = json.loads(path.read_text())
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found


def _examined(folder: Path, preset: str, pins: dict[str, str]) -> Iterator[Finding]:
    whole = []
    for network in NETWORKS:
        name = f"{preset}/{network}.safetensors"
        path = folder / name
        if not path.is_file():
            yield _missing(path, preset, network)
        elif damage := damage_of(path):
            yield problem(f"{path} is damaged: {damage}", "It cannot be loaded.", _restored(folder, preset))
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


def damage_of(path: Path) -> str:
    """Why a file is no whole safetensors file; empty where it is one. Reads no tensor."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 0 < length <= min(HEADER_LIMIT, size - 8):
            return "it does not begin as a safetensors file does"
        try:
            header = json.loads(file.read(length))
            end = max((each["data_offsets"][1] for name, each in header.items() if name != "__metadata__"), default=0)
        except (ValueError, KeyError, TypeError, AttributeError):
            return "its header cannot be read"
    expected = 8 + length + end
    return "" if size == expected else f"it has {size:,} bytes of {expected:,}: was its download cut short?"


def _missing(path: Path, preset: str, network: str) -> Finding:
    if preset == DEMO:
        return problem(
            f"{path} does not exist",
            "The demo preset cannot be exported with trained weights.",
            f"it is part of the project: git checkout weights/{DEMO}",
        )
    remedy = f"`make weights PRESET={preset}` says which official file to put where, and converts it"
    if network == "mask_decoder":
        remedy = (
            f"train it and install it (python -m mvsam.training install --preset {preset} --run DIR), or serve "
            f"SAM2's own decoder: make serve PRESET={preset} DECODER=projection"
        )
    return warning(f"{path} does not exist", f"Preset {preset} cannot be exported with trained weights.", remedy)


def _restored(folder: Path, preset: str) -> str:
    if preset == DEMO:
        return f"put the original back: git checkout weights/{DEMO}"
    return (
        f"put the original back: remove it and `make weights PRESET={preset}`, or, of a decoder of your own, its copy"
    )
