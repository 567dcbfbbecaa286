"""`make export`: the preset's three networks to ONNX graphs, each compared with PyTorch before it is kept."""

import argparse
import contextlib
import datetime
import logging
import shutil
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from export.compare import Errors, worst_errors
from mvsam.networks.checkpoints import NETWORKS, CheckpointError, WeightSource, load_network
from mvsam.networks.graphs import GRAPHS, Graph, Sample
from mvsam.networks.presets import PRESETS, Preset, preset_named
from mvsam.runtime.artifacts import MANIFEST, sha256, write_json
from mvsam.runtime.onnx import MODEL, OnnxSession
from mvsam.runtime.pytorch import PyTorchSession

logger = logging.getLogger(__name__)

OPSET = 23  # the first whose Attention stays one node
PRECISION = "fp32"
TRACED = Sample(views=2, objects=3, prompts=5, masks=1, patches=(9, 12))
CHECKED = Sample(views=3, objects=2, prompts=7, masks=2, patches=(10, 8), seed=1)


class ExportError(RuntimeError):
    """A graph does not compute what its network computes."""


def export_graph(graph: Graph, preset: Preset, source: WeightSource, weights: Path, output: Path) -> dict[str, Any]:
    """Writes one graph's folder (model, weights, manifest) and returns the manifest.

    The folder appears whole or not at all.

    Raises:
        CheckpointError: the network's weights cannot be had.
        ExportError: ONNX Runtime disagrees with PyTorch beyond the graph's tolerance.
    """
    started = time.monotonic()
    network, provenance = load_network(preset, graph.name, source, weights)
    reference = PyTorchSession(graph, network)
    temporary = output.with_name(output.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    _write_model(graph, reference, preset, temporary / MODEL)
    manifest = {
        "graph": graph.name,
        "preset": preset.name,
        "precision": PRECISION,
        "opset": OPSET,
        "weights": provenance,
        "constants": {
            "encoder_side": preset.encoder.side,
            "grid_side": preset.grid_side,
            "geometry_pixels": preset.geometry_pixels,
        },
        "files": {path.name: sha256(path) for path in sorted(temporary.iterdir())},
        "versions": {name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")},
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    write_json(temporary / MANIFEST, manifest)
    errors = worst_errors(reference, OnnxSession(temporary), graph.example(preset, CHECKED))
    _accept(graph, errors)
    manifest |= {"tolerance": graph.tolerance, "errors": {f"{CHECKED.views} views": errors}}
    write_json(temporary / MANIFEST, manifest)
    shutil.rmtree(output, ignore_errors=True)
    temporary.rename(output)
    logger.info(
        "%s: %s, largest error %.1e (tolerance %.0e), %.0f s",
        graph.name, output, max(errors.values()), graph.tolerance, time.monotonic() - started,
    )  # fmt: skip
    return manifest


def _accept(graph: Graph, errors: Errors) -> None:
    name, worst = max(errors.items(), key=lambda item: item[1])
    if not worst <= graph.tolerance:
        raise ExportError(
            f"{graph.name}: output {name} differs from PyTorch by {worst:.1e} of its largest value"
            f" (tolerance {graph.tolerance:.0e}); nothing was installed"
        )


def _write_model(graph: Graph, session: PyTorchSession, preset: Preset, path: Path) -> None:
    """Traces and converts; every weight goes to the file beside the model."""
    names = {axis for axes in graph.inputs.values() for axis in axes if axis in graph.dynamic}
    dynamic = {axis: torch.export.Dim.DYNAMIC for axis in names}
    shapes = {
        name: {i: dynamic[axis] for i, axis in enumerate(axes) if axis in dynamic}
        for name, axes in graph.inputs.items()
    }
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            session.module,
            (),
            kwargs=graph.example(preset, TRACED),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=shapes,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            verbose=False,
        )
    assert program is not None
    for value, axes in zip(
        (*program.model.graph.inputs, *program.model.graph.outputs),
        (*graph.inputs.values(), *graph.outputs.values()),
        strict=True,
    ):
        value.shape = _readable(axes, [int(d) if isinstance(d, int) else None for d in value.shape or ()])
    program.save(path, external_data=True)


def _readable(axes: tuple[str | int, ...], sizes: list[int | None]) -> Any:
    """A tensor's shape with the dynamic axes under the names that the graph declares."""
    from onnxscript import ir

    return ir.Shape([str(axis) if size is None else size for axis, size in zip(axes, sizes, strict=True)])


def main() -> int:
    """Exports every graph of a preset."""
    parser = argparse.ArgumentParser(prog="make export", description=main.__doc__)
    parser.add_argument("--preset", default="demo", choices=list(PRESETS))
    parser.add_argument("--seeded", nargs="*", default=[], choices=NETWORKS, help="networks given random weights")
    parser.add_argument("--weights-directory", type=Path, default=Path("weights"))
    parser.add_argument("--output", type=Path, default=Path("build/onnx"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    for own in ("mvsam", "export", "__main__"):
        logging.getLogger(own).setLevel(logging.INFO)
    # Says four times that torchvision, which nothing here uses, is not installed.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    preset = preset_named(arguments.preset)
    try:
        for graph in GRAPHS.values():
            output = arguments.output / preset.name / graph.name
            source = WeightSource.SEEDED if graph.name in arguments.seeded else WeightSource.FILES
            export_graph(graph, preset, source, arguments.weights_directory, output)
    except (CheckpointError, ExportError) as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
