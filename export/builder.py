"""TensorRT builds a plan from an exported graph, by Polygraphy.

POLYGRAPHY_USE_TENSORRT_RTX=1 puts TensorRT-RTX in TensorRT's place, whose builder needs no GPU. Its plans are good for
nothing but to know that the graphs can be built.
"""

import importlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from polygraphy.backend.trt import (
    CreateConfig,
    EngineBytesFromNetwork,
    NetworkFromOnnxPath,
    PostprocessConfig,
    PostprocessNetwork,
    Profile,
)
from polygraphy.config import USE_TENSORRT_RTX
from polygraphy.exception import PolygraphyException
from polygraphy.logger import G_LOGGER

from export.external_data import check_external_data
from export.profiles import Sizes
from mvsam.networks.graphs import Graph
from mvsam.networks.presets import Precision, Preset
from mvsam.runtime.artifacts import verified
from mvsam.runtime.onnx import MODEL

LIBRARY = "tensorrt_rtx" if USE_TENSORRT_RTX else "tensorrt"
CAPABILITY = "SM80"  # that TensorRT-RTX builds for where no GPU can be asked
GIB = 1 << 30


class BuildError(RuntimeError):
    """TensorRT is not there, refuses a graph, or was told to stop."""


@dataclass(frozen=True)
class Options:
    """Of a build.

    Attributes:
        sizes: the optimisation profile.
        workspace: GiB that a layer may use besides; None: what the card has.
        timing_cache: a file that later builds on the same card profit from.
        version_compatible: whether later TensorRT versions shall run the plan too, at some cost.
        hardware_compatible: whether other cards from Ampere on shall, at some cost.
    """

    sizes: Sizes = field(default_factory=Sizes)
    workspace: float | None = None
    timing_cache: Path | None = None
    version_compatible: bool = False
    hardware_compatible: bool = False


def library() -> Any:
    """TensorRT's module, whose bindings carry no types.

    Raises:
        BuildError: it is not installed.
    """
    try:
        return importlib.import_module(LIBRARY)
    except ImportError as error:
        extra = "engines-check" if USE_TENSORRT_RTX else "gpu"
        raise BuildError(f"{LIBRARY} cannot be imported ({error}): pip install -e '.[{extra}]'") from None


def build_plan(
    graph: Graph,
    preset: Preset,
    folder: Path,
    options: Options,
    report: Callable[[str], None],
    stop: threading.Event,
) -> bytes:
    """Builds an engine from a graph that its manifest vouches for.

    Args:
        graph: the declaration, for the dynamic axes.
        preset: sizes.
        folder: the exported graph.
        options: of the build.
        report: told each stage as it begins.
        stop: set from a signal handler or another thread, ends the build at its next step.

    Returns:
        The serialized engine.

    Raises:
        ArtifactError: the folder is not what its manifest says.
        BuildError: the graph is made for CPUs, TensorRT is not there, its parser or builder refuses, or `stop` was set.
    """
    trt = library()
    manifest = verified(folder)
    check_external_data(folder)
    if not manifest["for_gpu"]:
        raise BuildError(
            f"{folder} was exported for a CPU, in an order of products that TensorRT refuses: export it again with "
            f"`make export PRESET={preset.name} PRECISION={manifest['precision']} FOR=gpu`"
        )
    G_LOGGER.module_severity = G_LOGGER.ERROR
    profile = Profile()
    for name, shapes in options.sizes.shapes(graph, preset).items():
        profile.add(name, *shapes)
    config = CreateConfig(
        profiles=[profile],
        progress_monitor=_monitor(trt, report, stop),
        memory_pool_limits=options.workspace and {trt.MemoryPoolType.WORKSPACE: int(options.workspace * GIB)},
        load_timing_cache=_existing(options.timing_cache),
        version_compatible=options.version_compatible,
        hardware_compatibility_level=trt.HardwareCompatibilityLevel.AMPERE_PLUS
        if options.hardware_compatible
        else None,
    )
    if USE_TENSORRT_RTX:
        config = PostprocessConfig(config, partial(_name_architecture, trt))
    network = NetworkFromOnnxPath(str(folder / MODEL), strongly_typed=True)
    if manifest["precision"] == Precision.FP32:
        network = PostprocessNetwork(network, partial(_allow_unfused_attention, trt))
    save = None if options.timing_cache is None else str(options.timing_cache)
    try:
        return bytes(EngineBytesFromNetwork(network, config=config, save_timing_cache=save)())
    except PolygraphyException as error:
        if stop.is_set():
            raise BuildError(f"{graph.name}: the build was interrupted; nothing was installed") from None
        raise BuildError(f"{graph.name}: {LIBRARY} {trt.__version__} builds no engine of {folder}: {error}") from None


def _existing(path: Path | None) -> str | None:
    return str(path) if path is not None and path.is_file() else None


def _allow_unfused_attention(trt: Any, network: Any) -> None:
    """No fused kernel computes attention in FP32, so TensorRT may take it apart; its memory grows with the square."""
    for layer in network:
        if layer.type == trt.LayerType.ATTENTION_INPUT:
            layer.__class__ = trt.IAttentionInputLayer  # the bindings hand out every layer as an ILayer
            layer.attention.decomposable = True


def _name_architecture(trt: Any, builder: Any, network: Any, config: Any) -> None:
    """With an architecture named, TensorRT-RTX's builder asks no GPU."""
    config.num_compute_capabilities = 1
    config.set_compute_capability(getattr(trt.ComputeCapability, CAPABILITY), 0)


def _monitor(trt: Any, report: Callable[[str], None], stop: threading.Event) -> Any:
    """TensorRT's progress: its outer stages are reported, and each of its steps asks whether to go on."""

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._began = time.monotonic()
            self._outer: set[str] = set()

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            if parent is None or parent in self._outer:
                report(f"{time.monotonic() - self._began:6.1f} s  {name}")
            if parent is None:
                self._outer.add(name)

        def phase_finish(self, name: str) -> None:
            pass

        def step_complete(self, name: str, step: int) -> bool:
            return not stop.is_set()

    return Monitor()
