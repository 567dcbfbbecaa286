"""TensorRT engines: accepted, and built for the GPU and the TensorRT that are here."""

from collections.abc import Callable, Iterator
from pathlib import Path

from mvsam.doctor.graphs import cause
from mvsam.runtime.artifacts import MANIFEST, ArtifactError, verified
from mvsam.runtime.engines import Machine as Card
from mvsam.runtime.engines import NoGpuError, build_command, check_engine
from mvsam_client.doctor import Finding, Machine, ok, problem, warning


def examine(machine: Machine, here: Callable[[], Card] = Card.here) -> Iterator[Finding]:
    """Those under build/engines/<preset>/<precision>/.

    Args:
        machine: whose project it is.
        here: tells what engines are bound to on this machine.
    """
    root = machine.project / "build" / "engines"
    folders = sorted({path.parent.parent for path in root.glob(f"*/*/*/{MANIFEST}")})
    if not folders:
        yield ok(f"no engines are built under {root}: only RUNTIME=tensorrt needs them")
        return
    try:
        card = here()
    except NoGpuError as error:
        yield warning(
            f"there are engines under {root}, and here is no GPU for them ({str(error).partition(':')[0]})",
            "They run where they were built only.",
            "serve them there, or serve ONNX graphs here: make serve RUNTIME=onnxruntime",
        )
        return
    for folder in folders:
        found = [finding for graph in sorted(folder.iterdir()) if graph.is_dir() for finding in judged(graph, card)]
        yield from found or [ok(f"{folder}: engines for {card.gpu}, TensorRT {card.tensorrt}")]


def judged(folder: Path, card: Card) -> Iterator[Finding]:
    """What is wrong with one engine, if anything.

    Args:
        folder: that holds it and its manifest.
        card: what is here.
    """
    try:
        check_engine(folder, card)
    except (ArtifactError, KeyError) as error:
        yield problem(str(cause(error)), "It is refused: it could not be loaded, or would be wrong.", _remedy(folder))


def _remedy(folder: Path) -> str:
    try:
        return build_command(verified(folder))
    except (ArtifactError, KeyError):
        return "make engines PRESET=… PRECISION=…, as it was built"
