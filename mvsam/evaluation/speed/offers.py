"""Which runtimes can compute a graph here, and why others cannot."""

import copy
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mvsam.evaluation.speed.cases import noise
from mvsam.evaluation.speed.runtimes import BoundOnnx, Compiled, Eager, OfSession, Runtime
from mvsam.networks.checkpoints import WeightSource, load_network
from mvsam.networks.graphs import Graph
from mvsam.networks.presets import Precision, Preset
from mvsam.runtime.artifacts import ArtifactError, read_manifest
from mvsam.runtime.onnx import OnnxSession

COMPILERS = ("g++", "clang++")  # one of which torch.compile needs on a CPU


class UnavailableError(RuntimeError):
    """A runtime cannot compute a graph here; the message says why."""


@dataclass
class Workbench:
    """What subjects are made of; networks and inputs are made once.

    Attributes:
        preset: sizes.
        device: of PyTorch.
        threads: of PyTorch and ONNX Runtime on a CPU, to be tried; the last is the most.
        seeded: names of networks with random weights.
        weights: folder of the others.
        graphs, engines: folders of the preset's exported graphs and of its engines, by precision.
        views: the most of any case, by the name of the graph.
        prompts: likewise, of clicks.
        patches: of π³'s images: height, width.
    """

    preset: Preset
    device: torch.device
    threads: Sequence[int]
    seeded: Sequence[str]
    weights: Path
    graphs: Path
    engines: Path
    views: Mapping[str, int]
    prompts: int
    patches: tuple[int, int]
    provenance: dict[str, dict[str, Any]] = field(default_factory=dict)
    _modules: dict[tuple[str, Precision], nn.Module] = field(default_factory=dict)
    _inputs: dict[tuple[str, Precision], dict[str, Tensor]] = field(default_factory=dict)

    def threads_for(self, graph: Graph) -> Sequence[int]:
        """Of a CPU: only a click is quick enough to try them all."""
        return self.threads if graph.name == "mask_decoder" else self.threads[-1:]

    def choices(self, graph: Graph) -> Sequence[int | None]:
        """Threads of PyTorch: on a GPU their number does not matter."""
        return self.threads_for(graph) if self.device.type == "cpu" else [None]

    def module(self, graph: Graph, precision: Precision) -> nn.Module:
        """The graph's module on the device.

        Raises:
            CheckpointError: its weights cannot be had.
        """
        key = graph.name, precision
        if key not in self._modules:
            source = WeightSource.SEEDED if graph.network in self.seeded else WeightSource.FILES
            network, self.provenance[graph.network] = load_network(self.preset, graph.network, source, self.weights)
            self._modules[key] = graph.module(network, precision).to(self.device)
        return self._modules[key]

    def inputs(self, graph: Graph, precision: Precision) -> dict[str, Tensor]:
        """Of the largest case, on the CPU."""
        key = graph.name, precision
        if key not in self._inputs:
            if precision is Precision.FP32:
                views = self.views[graph.name]
                self._inputs[key] = noise(self.preset, graph, views, self.prompts, self.patches)
            else:
                types, fp32 = graph.types(precision), self.inputs(graph, Precision.FP32)
                self._inputs[key] = {name: x.to(types.get(name, x.dtype)) for name, x in fp32.items()}
        return self._inputs[key]

    def exported(self, graph: Graph, precision: Precision) -> Path:
        """The graph's folder.

        Raises:
            UnavailableError: it was not exported.
            ArtifactError: it was exported with other weights than those that it is compared with.
        """
        folder = self.graphs / precision / graph.name
        if not folder.is_dir():
            raise UnavailableError(f"{folder} does not exist: `make export` with this preset and precision writes it")
        self.module(graph, Precision.FP32)
        if read_manifest(folder)["weights"] != self.provenance[graph.network]:
            raise ArtifactError(f"{folder} has other weights than the network it is compared with: `make export` again")
        return folder


@dataclass(frozen=True)
class Offer:
    """A runtime that has loaded a graph.

    Attributes:
        name: of the runtime.
        graph: that it computes, whose axes cut the inputs.
        runtime: with the graph.
        inputs: of the largest case, placed.
        threads: of a CPU; None on a GPU.
        detail: what else is peculiar to it; empty for PyTorch as it is.
    """

    name: str
    graph: Graph
    runtime: Runtime
    inputs: Mapping[str, Any]
    threads: int | None
    detail: str = ""


def eager(bench: Workbench, graph: Graph, precision: Precision) -> Iterator[Offer]:
    """With maps in both layouts where a graph begins with them."""
    module, inputs = bench.module(graph, precision), bench.inputs(graph, precision)
    for channels_last in (False, True) if graph.name == "mask_decoder" else (False,):
        own = _channels_last(module) if channels_last else module
        runtime = Eager(own, list(graph.outputs), bench.device, channels_last=channels_last)
        placed = runtime.place(inputs)
        for threads in bench.choices(graph):
            yield Offer("PyTorch eager", graph, runtime, placed, threads, "channels last" if channels_last else "")


def compiled(bench: Workbench, graph: Graph, precision: Precision) -> Iterator[Offer]:
    """With every thread."""
    if bench.device.type == "cpu" and not any(map(shutil.which, COMPILERS)):
        raise UnavailableError(f"none of the C++ compilers {', '.join(COMPILERS)} is installed")
    runtime = Compiled(bench.module(graph, precision), list(graph.outputs), bench.device)
    placed = runtime.place(bench.inputs(graph, precision))
    yield Offer("torch.compile", graph, runtime, placed, bench.choices(graph)[-1])


def onnxruntime_cpu(bench: Workbench, graph: Graph, precision: Precision) -> Iterator[Offer]:
    """As it is served."""
    if precision is Precision.BF16:
        raise UnavailableError("ONNX Runtime's CPU provider computes no BF16")
    folder = bench.exported(graph, precision)
    inputs, detail = bench.inputs(graph, precision), _order(folder)
    for threads in bench.threads_for(graph):
        runtime = OfSession(OnnxSession(folder, threads))
        yield Offer("ONNX Runtime CPU", graph, runtime, runtime.place(inputs), threads, detail)


def onnxruntime_cuda(bench: Workbench, graph: Graph, precision: Precision) -> Iterator[Offer]:
    """On features that lie on the GPU, where a scene's stay between clicks."""
    import onnxruntime

    provider = "CUDAExecutionProvider"
    if bench.device.type != "cuda" or provider not in onnxruntime.get_available_providers():
        raise UnavailableError(f"no GPU, or an onnxruntime without {provider}")
    folder = bench.exported(graph, precision)
    runtime = BoundOnnx(folder, provider, bench.device)
    placed = runtime.place(bench.inputs(graph, precision))
    yield Offer("ONNX Runtime CUDA", graph, runtime, placed, None, _order(folder))


def tensorrt(bench: Workbench, graph: Graph, precision: Precision) -> Iterator[Offer]:
    """From an accepted engine. Inputs and outputs travel between host and GPU in every call."""
    from mvsam.runtime.engines import NoGpuError
    from mvsam.runtime.tensorrt import TensorRtSession

    try:
        runtime = OfSession(TensorRtSession.load(bench.engines / precision / graph.name))
    except (NoGpuError, ArtifactError) as error:
        raise UnavailableError(str(error)) from None
    yield Offer("TensorRT", graph, runtime, runtime.place(bench.inputs(graph, precision)), None)


FAMILIES: dict[str, Callable[[Workbench, Graph, Precision], Iterator[Offer]]] = {
    "eager": eager,
    "compile": compiled,
    "onnxruntime": onnxruntime_cpu,
    "onnxruntime-cuda": onnxruntime_cuda,
    "tensorrt": tensorrt,
}


def _order(folder: Path) -> str:
    """Which order of products a graph was exported with."""
    return "" if read_manifest(folder)["for_gpu"] else "graph for CPUs"


def _channels_last(module: nn.Module) -> nn.Module:
    """A copy whose convolutions' weights lie in memory with their channels innermost."""
    own = copy.deepcopy(module)
    for parameter in own.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return own
