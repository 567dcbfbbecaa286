"""`make engines-check`: TensorRT-RTX parses the exported graphs and builds engines from them, without a GPU.

What is proven is that the graphs hold nothing TensorRT refuses and that the profiles fit; such an engine runs only on
the GPU architecture it is built for, and is thrown away here.
"""

import argparse
import importlib
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["POLYGRAPHY_USE_TENSORRT_RTX"] = "1"  # read when Polygraphy is imported

from polygraphy.backend.trt import (
    CreateConfig,
    EngineBytesFromNetwork,
    NetworkFromOnnxPath,
    PostprocessConfig,
    PostprocessNetwork,
    Profile,
)
from polygraphy.exception import PolygraphyException
from polygraphy.logger import G_LOGGER

from mvsam.networks.graphs import GRAPHS, Graph
from mvsam.networks.presets import PRESETS, Precision, Preset, preset_named
from mvsam.pipeline.frames import geometry_size
from mvsam.runtime.artifacts import ArtifactError, verified
from mvsam.runtime.onnx import MODEL

trt: Any = importlib.import_module("tensorrt_rtx")  # its bindings carry no types
logger = logging.getLogger(__name__)

CAPABILITY = "SM80"


class BuildError(RuntimeError):
    """TensorRT refuses a graph."""


def build(graph: Graph, preset: Preset, folder: Path, views: tuple[int, int, int]) -> int:
    """Builds an engine for a graph that its manifest vouches for; returns the engine's size in bytes.

    Args:
        graph: the declaration, for the dynamic axes.
        preset: sizes.
        folder: the exported graph.
        views: smallest, usual and largest number of photographs.

    Raises:
        ArtifactError: the folder is not what its manifest says.
        BuildError: the parser or the builder refuses.
    """
    verified(folder)
    profile = Profile()
    for name, axes in graph.inputs.items():
        profile.add(name, *shapes(axes, preset, views))
    try:
        network = NetworkFromOnnxPath(str(folder / MODEL), strongly_typed=True)
        network = PostprocessNetwork(network, _allow_unfused_attention)
        config = PostprocessConfig(CreateConfig(profiles=[profile]), _build_for_named_architecture)
        return len(bytes(EngineBytesFromNetwork(network, config=config)()))
    except PolygraphyException as error:
        raise BuildError(
            f"{graph.name}: TensorRT-RTX {trt.__version__} builds no engine of {folder}: {error}"
        ) from None


def _allow_unfused_attention(network: Any) -> None:
    """No fused kernel computes attention in FP32, so TensorRT may take it apart."""
    for layer in network:
        if layer.type == trt.LayerType.ATTENTION_INPUT:
            layer.__class__ = trt.IAttentionInputLayer  # the bindings hand out every layer as an ILayer
            layer.attention.decomposable = True


def _build_for_named_architecture(builder: Any, network: Any, config: Any) -> None:
    """With an architecture named, the builder asks no GPU."""
    config.num_compute_capabilities = 1
    config.set_compute_capability(getattr(trt.ComputeCapability, CAPABILITY), 0)


def shapes(axes: tuple[str | int, ...], preset: Preset, views: tuple[int, int, int]) -> list[tuple[int, ...]]:
    """A tensor's smallest, usual and largest shape."""
    height, width = geometry_size(4 / 3, preset.geometry_pixels, preset.pi3.patch)
    side, e = preset.encoder.side, preset.grid_side
    ranges: dict[str, tuple[int, int, int]] = {
        "views": views,
        "height": (preset.pi3.patch, height, 2 * height),
        "width": (preset.pi3.patch, width, 2 * width),
        "objects": (1, 1, 8),
        "prompts": (1, 12, 64),
        "masks1": (1, 1, 9),
        "S": (side, side, side),
        "E": (e, e, e),
        "2E": (2 * e, 2 * e, 2 * e),
        "4E": (4 * e, 4 * e, 4 * e),
    }
    triples = [(axis, axis, axis) if isinstance(axis, int) else ranges[axis] for axis in axes]
    return [tuple(triple[i] for triple in triples) for i in range(3)]


def main() -> int:
    """Builds an engine of each of a preset's graphs and throws it away."""
    parser = argparse.ArgumentParser(prog="make engines-check", description=main.__doc__)
    parser.add_argument("--preset", default="demo", choices=list(PRESETS))
    parser.add_argument("--precision", type=Precision, default=Precision.FP32, choices=list(Precision))
    parser.add_argument("--graphs", type=Path, default=Path("build/onnx"))
    parser.add_argument("--views", type=int, nargs=3, default=(1, 8, 32), metavar=("MIN", "OPT", "MAX"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    G_LOGGER.module_severity = G_LOGGER.ERROR
    preset = preset_named(arguments.preset)
    try:
        graphs = arguments.graphs / preset.name / arguments.precision
        for graph in GRAPHS.values():
            started = time.monotonic()
            size = build(graph, preset, graphs / graph.name, tuple(arguments.views))
            logger.info(
                "%s: engine of %.1f MB for %s in %.1f s (TensorRT-RTX %s)",
                graph.name, size / 1e6, CAPABILITY, time.monotonic() - started, trt.__version__,
            )  # fmt: skip
    except (ArtifactError, BuildError) as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
