"""How much the networks hold and how much they compute, counted on tensors without numbers: full size costs no time."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import sdpa_flop_count

from mvsam.evaluation.speed.cases import Task, noise
from mvsam.evaluation.speed.flops import counted
from mvsam.evaluation.speed.sam2_video import HEIGHT, WIDTH, Sam2Video
from mvsam.evaluation.statistics.subjects import encode_frames
from mvsam.networks.checkpoints import build_network
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.parameters import count
from mvsam.networks.presets import NETWORKS, Precision, Preset
from mvsam.pipeline.frames import scene_size

META = torch.device("meta")
GRAPH_OF = {Task.PI3: "pi3", Task.ENCODER: "sam2_encoder", Task.EMBEDDER: "point_embedder", Task.CLICK: "mask_decoder"}


class Method(StrEnum):
    """What is compared."""

    SAM2_VIDEO = "SAM2-Video"
    MVSAM = "MV-SAM"


@dataclass(frozen=True)
class Operations:
    """Floating-point operations: two for each multiply-add of matrix products, convolutions and attention.

    Attributes:
        flops: all of them.
        attention: those of attention's own two products, of queries with keys and of weights with values.
    """

    flops: int
    attention: int

    def __add__(self, other: "Operations") -> "Operations":
        return Operations(self.flops + other.flops, self.attention + other.attention)

    def __mul__(self, times: int) -> "Operations":
        return Operations(self.flops * times, self.attention * times)

    @property
    def multiply_adds(self) -> int:
        """Of the same products."""
        return self.flops // 2

    @property
    def layers(self) -> int:
        """Multiply-adds of layers alone, as tools count that know modules but no attention."""
        return (self.flops - self.attention) // 2


@dataclass(frozen=True)
class Counts:
    """Of one preset and one number of frames.

    Attributes:
        preset: its name.
        frames: of the scene.
        size: (height, width) that π³ sees.
        parameters: by network, whole.
        trainable: as the paper counts them: MV-SAM's decoder with SAM2's neck; SAM2-Video without its trunk.
        operations: of a scene and one click in it, part by part.
    """

    preset: str
    frames: int
    size: tuple[int, int]
    parameters: Mapping[str, int]
    trainable: Mapping[Method, int]
    operations: Mapping[Method, Mapping[Task, Operations]]

    def total(self, method: Method) -> Operations:
        """Of a scene and a click."""
        return sum(self.operations[method].values(), Operations(0, 0))


def counts(preset: Preset, frames: int) -> Counts:
    """Counts everything; the weights are random and soon dropped."""
    networks = {name: without_numbers(preset, name) for name in NETWORKS}
    video = Sam2Video(preset, frames, META)
    encoder, decoder, theirs = networks["sam2_encoder"], networks["mask_decoder"], video.predictor
    assert isinstance(encoder, Sam2ImageEncoder)
    return Counts(
        preset.name,
        frames,
        pi3_size(preset),
        {name: count(network) for name, network in networks.items()} | {Method.SAM2_VIDEO.value: count(theirs)},
        {
            Method.SAM2_VIDEO: count(theirs) - count(theirs.image_encoder.trunk),
            Method.MVSAM: count(decoder) + count(encoder.image_encoder.neck),
        },
        {Method.SAM2_VIDEO: of_sam2_video(video), Method.MVSAM: of_mvsam(preset, networks, frames)},
    )


def pi3_size(preset: Preset) -> tuple[int, int]:
    """(height, width) that π³ sees of frames of SAM2-Video's size."""
    return scene_size([(HEIGHT, WIDTH)], preset.geometry_pixels, preset.pi3.patch)


def of_mvsam(preset: Preset, networks: Mapping[str, nn.Module], frames: int) -> dict[Task, Operations]:
    """MV-SAM's operations, graph by graph, for one click.

    Args:
        preset: of the networks.
        networks: by name, without numbers.
        frames: of the scene.
    """
    height, width = pi3_size(preset)
    patches = height // preset.pi3.patch, width // preset.pi3.patch
    parts: dict[Task, Operations] = {}
    for task, name in GRAPH_OF.items():
        graph = GRAPHS[name]
        inputs = {key: x.to(META) for key, x in noise(preset, graph, frames, 1, patches).items()}
        module = graph.module(networks[graph.network], Precision.FP32)
        parts[task] = operations(partial(module, **inputs))
    return parts


def of_sam2_video(video: Sam2Video) -> dict[Task, Operations]:
    """Operations of encoding the video, and of carrying a click through it."""
    side = video.predictor.image_size
    image = torch.empty(1, 3, side, side, device=video.device)
    video.begin(cached=True)
    return {
        Task.ENCODER: operations(partial(encode_frames, video, image)) * video.frames,
        Task.PROPAGATION: operations(video.propagate),
    }


@torch.inference_mode()
def operations(call: Callable[[], object]) -> Operations:
    """Of an eager PyTorch call. Its attention is counted and not computed."""
    with _Attention() as attention:
        _, layers = counted(call)
    return Operations(layers + attention.flops, attention.flops)


def without_numbers(preset: Preset, name: str) -> nn.Module:
    """A network on PyTorch's device for shapes.

    π³ alone would take gigabytes and seconds to be built elsewhere; the others read numbers while they are built.
    """
    with META if name == "pi3" else nullcontext():
        network = build_network(preset, name)
    return network.to(META).eval()


class _Attention(TorchFunctionMode):
    """Attention gives something of the right shape; what it would multiply is added up."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        query, key, value = args[:3]
        self.flops += sdpa_flop_count(query.shape, key.shape, value.shape)
        return query.new_empty(*query.shape[:-1], value.shape[-1])
