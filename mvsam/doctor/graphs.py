"""Exported graphs: each is what its manifest names, and of the weights that are there."""

from collections.abc import Iterator
from pathlib import Path

from mvsam.networks.pins import read_pins
from mvsam.runtime.artifacts import MANIFEST, ArtifactError, verified
from mvsam_client.doctor import Finding, Machine, ok, problem, warning


def examine(machine: Machine) -> Iterator[Finding]:
    """Those under build/onnx/<preset>/<precision>/."""
    root = machine.project / "build" / "onnx"
    folders = sorted({path.parent.parent for path in root.glob(f"*/*/*/{MANIFEST}")})
    if not folders:
        yield ok(f"no graphs are exported under {root} yet: `make serve` does that")
    for folder in folders:
        yield from _examined(machine.project, folder)


def again(folder: Path) -> str:
    """The command that exports the graphs of a folder anew, whatever make believes of them.

    Args:
        folder: build/onnx/<preset>/<precision>.
    """
    return f"rm -r {folder} && make export PRESET={folder.parent.name} PRECISION={folder.name}"


def _examined(project: Path, folder: Path) -> Iterator[Finding]:
    graphs = sorted(path for path in folder.iterdir() if path.is_dir())
    manifests, is_whole = {}, True
    for graph in graphs:
        try:
            manifests[graph.name] = verified(graph)
        except (ArtifactError, KeyError) as error:
            is_whole = False
            yield problem(f"graph {graph.name} of {folder} is damaged: {cause(error)}", "It is refused.", again(folder))
    stale = sorted(_stale(project / "weights", folder.parent.name, manifests))
    if stale:
        yield warning(
            f"{', '.join(stale)} of {folder} {'was' if len(stale) == 1 else 'were'} exported from other weights than "
            "those that are there now",
            "Masks are those of the former weights.",
            again(folder),
        )
    elif is_whole:
        yield ok(f"{folder}: {len(graphs)} graphs as their manifests name them")


def cause(error: Exception) -> str:
    """Of an ArtifactError its first half: its remedy is our own to give."""
    return f"{error} is missing from its manifest" if isinstance(error, KeyError) else str(error).rpartition(": ")[0]


def _stale(weights: Path, preset: str, manifests: dict[str, dict]) -> Iterator[str]:
    try:
        pins = read_pins(weights)
    except ValueError:  # which the check of the weights tells
        return
    for name, manifest in manifests.items():
        digest = manifest.get("weights", {}).get("sha256")
        network = "mask_decoder" if name == "point_embedder" else name
        pinned = pins.get(f"{preset}/{network}.safetensors")
        if digest and pinned and digest != pinned:
            yield name
