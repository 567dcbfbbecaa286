"""The repository that Triton is given: whole, and fit for this machine."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from mvsam.doctor.engines import judged
from mvsam.doctor.graphs import cause
from mvsam.runtime.artifacts import ArtifactError, verified
from mvsam.runtime.engines import Machine as Card
from mvsam.runtime.engines import NoGpuError
from mvsam_client.doctor import Finding, Machine, ok, problem

CONFIG, VERSION, SCENE = "config.pbtxt", "1", "mvsam_scene"
_BACKEND = re.compile(r'^backend: "(onnxruntime|tensorrt)"', re.MULTILINE)


def examine(machine: Machine, here: Callable[[], Card] = Card.here) -> Iterator[Finding]:
    """Those under build/repository/<preset>/.

    Args:
        machine: whose project it is.
        here: tells what engines are bound to on this machine.
    """
    root = (machine.project / "build" / "repository").resolve()
    if any(character.isspace() for character in str(root)):
        yield problem(
            f"there is white space in the path {root}",
            "Triton never gets ready with such a repository, and does not say why.",
            "move the project to a folder without, such as ~/mvsam",
        )
    repositories = sorted(path for path in root.glob("*") if path.is_dir() and path.suffix != ".tmp")
    if not repositories:
        yield ok(f"no repository is assembled under {root} yet: `make serve` does that")
    for repository in repositories:
        found = list(_examined(repository, here))
        yield from found or [ok(f"{repository} is whole")]


def _examined(repository: Path, here: Callable[[], Card]) -> Iterator[Finding]:
    again = f"make repository PRESET={repository.name}"
    if not (repository / SCENE / CONFIG).is_file():
        yield problem(f"{repository} holds no {SCENE}", "It is incomplete; scenes could not be encoded.", again)
    for config in sorted(repository.glob(f"*/{CONFIG}")):
        backend = _BACKEND.search(config.read_text())
        folder = config.parent / VERSION
        if backend and backend[1] == "tensorrt":
            yield from _engine(folder, here, again)
        elif backend:
            try:
                verified(folder)
            except (ArtifactError, KeyError, FileNotFoundError) as error:
                yield problem(
                    f"graph {config.parent.name} of {repository} is damaged: {cause(error)}",
                    "The server refuses to load it.",
                    f"{again}; if that says that the graphs are damaged, or changes nothing, first "
                    f"rm -r build/onnx/{repository.name}",
                )


def _engine(folder: Path, here: Callable[[], Card], again: str) -> Iterator[Finding]:
    try:
        yield from judged(folder, here())
    except NoGpuError as error:
        yield problem(
            f"{folder} holds an engine, and here is no GPU for it ({str(error).partition(':')[0]})",
            "The server cannot load it.",
            f"{again} RUNTIME=onnxruntime, or serve it where it was built",
        )
