"""`make export`: a preset's networks to typed ONNX graphs, each compared with FP32 PyTorch before it is kept."""

import argparse
import contextlib
import datetime
import logging
import shutil
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.compare import beyond, relative_errors
from export.islands import IslandsError, reviewed_islands
from export.memory import activations_per_view
from export.widening import widened
from mvsam.networks.checkpoints import CheckpointError, WeightSource, load_network
from mvsam.networks.graphs import GRAPHS, Graph, Sample
from mvsam.networks.presets import NETWORKS, PRESETS, SAM2_DECODER, Decoder, Precision, Preset, preset_named
from mvsam.networks.threads import use_available_cores
from mvsam.runtime.artifacts import MANIFEST, sha256, write_json
from mvsam.runtime.onnx import MODEL, OnnxSession
from mvsam.runtime.pytorch import PyTorchSession

logger = logging.getLogger(__name__)

STACK_TRACE = "pkg.torch.onnx.stack_trace"  # the exporter's note of where a node comes from, this machine's paths in it
GEOMETRY = "pi3"  # the graph that takes all photographs of a request at once
OPSET = 23  # the first whose Attention stays one node
# Of the largest difference from FP32 PyTorch on noise, relative to each output's largest value. At reduced precision
# it only shows that the graph is the network; the masks on real scenes decide (export/verify.py).
TOLERANCES = {Precision.FP32: 1e-5, Precision.FP16: 2e-2, Precision.MIXED: 2e-2, Precision.BF16: 1e-1}
TRACED = Sample(views=2, objects=3, prompts=5, masks=1, patches=(9, 12))
CHECKED = Sample(views=3, objects=2, prompts=7, masks=2, patches=(10, 8), seed=1)


class ExportError(RuntimeError):
    """A graph does not compute what its network computes."""


@dataclass(frozen=True)
class Typing:
    """How the numbers of a graph are typed.

    Attributes:
        precision: the rule.
        islands: names of modules that compute in FP32 besides those that the network declares.
        tolerance: of the difference from FP32 PyTorch.
        for_gpu: FP32 graphs, too, keep the plain order of products and no branch, as TensorRT wants them; on a CPU it
            costs time.
    """

    precision: Precision = Precision.FP32
    islands: Sequence[str] = ()
    tolerance: float | None = None
    for_gpu: bool = False

    @property
    def bound(self) -> float:
        """The tolerance, the precision's where none is given."""
        return TOLERANCES[self.precision] if self.tolerance is None else self.tolerance


FP32 = Typing()


def export_graph(
    graph: Graph, preset: Preset, source: WeightSource, weights: Path, output: Path, typing: Typing = FP32
) -> dict[str, Any]:
    """Writes one graph's folder (model, weights, manifest) and returns the manifest.

    The folder appears whole or not at all.

    Args:
        graph: which.
        preset: its sizes.
        source: where its weights come from.
        weights: their folder.
        output: the graph's own folder.
        typing: of its numbers.

    Raises:
        CheckpointError: the network's weights cannot be had.
        IslandsError: the network has no module of a reviewed island's name.
        ExportError: ONNX Runtime disagrees with FP32 PyTorch beyond the tolerance.
    """
    started = time.monotonic()
    network, provenance = load_network(preset, graph.network, source, weights)
    expected = PyTorchSession(graph, network).run(_arrays(graph.example(preset, CHECKED)))
    for_gpu = typing.for_gpu or typing.precision is not Precision.FP32
    if not for_gpu:
        graph.for_cpu(network)
    try:
        session = PyTorchSession(graph, network, typing.precision, typing.islands)
    except ValueError as error:
        raise IslandsError(f"{graph.name}: {error}") from None
    temporary = output.with_name(output.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    _write_model(graph, session, graph.inputs_for(preset, TRACED, typing.precision), temporary / MODEL)
    manifest = {
        "graph": graph.name,
        "preset": preset.name,
        "precision": typing.precision.value,
        "islands": list(typing.islands),
        "for_gpu": for_gpu,
        "types": {name: str(kind).removeprefix("torch.") for name, kind in graph.types(typing.precision).items()},
        "opset": OPSET,
        "weights": provenance,
        "constants": {
            "encoder_side": preset.encoder.side,
            "grid_side": preset.grid_side,
            "geometry_pixels": preset.geometry_pixels,
        },
        **({"view_bytes": activations_per_view(graph, preset, typing.precision)} if graph.name == GEOMETRY else {}),
        "files": {path.name: sha256(path) for path in sorted(temporary.iterdir())},
        "versions": {name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")},
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    write_json(temporary / MANIFEST, manifest)
    runnable = widened(temporary) if typing.precision is Precision.BF16 else contextlib.nullcontext(temporary)
    with runnable as folder:
        exported = OnnxSession(folder)
        found = exported.run(_arrays(graph.inputs_for(preset, CHECKED, typing.precision)))
    errors = relative_errors(expected, found)
    if complaint := beyond(errors, typing.bound):
        raise ExportError(f"{graph.name}, {typing.precision}: {complaint} from FP32 PyTorch's; nothing was installed")
    manifest |= {
        "tensors": exported.signature.for_manifest(),
        "tolerance": typing.bound,
        "errors": {f"{CHECKED.views} views": errors},
    }
    write_json(temporary / MANIFEST, manifest)
    shutil.rmtree(output, ignore_errors=True)
    temporary.rename(output)
    logger.info(
        "%s: %s, largest error %.1e (tolerance %.0e), %.0f s",
        graph.name, output, max(errors.values()), typing.bound, time.monotonic() - started,
    )  # fmt: skip
    return manifest


def _arrays(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def _write_model(graph: Graph, session: PyTorchSession, example: dict[str, torch.Tensor], path: Path) -> None:
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
            kwargs=example,
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=shapes,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            verbose=False,
        )
    assert program is not None
    for node in program.model.graph.all_nodes():
        node.metadata_props.pop(STACK_TRACE, None)
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


def graphs_with(decoder: Decoder) -> list[Graph]:
    """The graphs of a repository."""
    if decoder is Decoder.MVSAM:
        return list(GRAPHS.values())
    from mvsam.networks import image_decoder  # and with it the `sam2` package

    return [GRAPHS["pi3"], GRAPHS["sam2_encoder"], image_decoder.GRAPH]


def main() -> int:
    """Exports every graph of a preset."""
    parser = argparse.ArgumentParser(prog="make export", description=main.__doc__)
    parser.add_argument("--preset", default="demo", choices=list(PRESETS))
    parser.add_argument(
        "--seeded", nargs="*", default=[], choices=(*NETWORKS, SAM2_DECODER), help="networks given random weights"
    )
    parser.add_argument("--decoder", type=Decoder, default=Decoder.MVSAM, choices=list(Decoder))
    parser.add_argument("--weights-directory", type=Path, default=Path("weights"))
    parser.add_argument("--precision", type=Precision, default=Precision.FP32, choices=list(Precision))
    parser.add_argument(
        "--for-gpu", action="store_true", help="FP32 graphs, too: the plain order of products and no branch"
    )
    parser.add_argument("--output", type=Path, default=Path("build/onnx"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    use_available_cores()
    for own in ("mvsam", "export", "__main__"):
        logging.getLogger(own).setLevel(logging.INFO)
    # Says four times that torchvision, which nothing here uses, is not installed.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    preset = preset_named(arguments.preset)
    try:
        islands = reviewed_islands(preset.name)
        for graph in graphs_with(arguments.decoder):
            output = arguments.output / preset.name / arguments.precision / graph.name
            source = WeightSource.SEEDED if graph.network in arguments.seeded else WeightSource.FILES
            if graph.name == SAM2_DECODER:
                typing = FP32  # at every precision: it is no network of ours
            else:
                typing = Typing(arguments.precision, islands[graph.name], for_gpu=arguments.for_gpu)
            export_graph(graph, preset, source, arguments.weights_directory, output, typing)
    except (CheckpointError, IslandsError, ExportError) as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
