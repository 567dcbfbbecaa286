"""The exported graphs, each declared once: the network it wraps, its tensors and axes, inputs to try it on.

Of the three networks the mask decoder makes two graphs: what depends on the scene only, and what a click costs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from mvsam.networks import image_encoder, pi3
from mvsam.networks.cross_attention import reassociate
from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.mask_decoder import MaskDecoder, PlacedGrid, PlacedPrompts, PointEmbedding
from mvsam.networks.pi3 import Pi3
from mvsam.networks.precision import TYPES, Islands, typed
from mvsam.networks.presets import Precision, Preset

Axes = tuple[str | int, ...]
# What one graph hands to the next.
FEATURES = ("image_embedding", "high_res_0", "high_res_1", "point_embedding", "point_position")


@dataclass(frozen=True)
class Sample:
    """How many of each dynamic axis to try a graph with."""

    views: int
    objects: int = 2
    prompts: int = 5
    masks: int = 1
    patches: tuple[int, int] = (9, 12)  # of π³: height, width
    seed: int = 0


@dataclass(frozen=True)
class Graph:
    """One exported graph.

    Attributes:
        name: of its folder and Triton model.
        network: whose weights it computes with.
        wrap: puts a network behind the graph's tensors.
        inputs, outputs: names and axes.
        example: inputs to try it on, FP32.
        dynamic: axes whose sizes a request chooses.
        islands: parts of the network that compute in another type than the rest at reduced precision.
        for_cpu: changes a network in place to what computes the same faster on a CPU.
    """

    name: str
    network: str
    wrap: Callable[[Any], nn.Module]
    inputs: dict[str, Axes]
    outputs: dict[str, Axes]
    example: Callable[[Preset, Sample], dict[str, Tensor]]
    dynamic: tuple[str, ...] = ("views", "height", "width", "objects", "prompts", "masks1")
    islands: Mapping[type[nn.Module], Islands] = field(default_factory=dict)
    for_cpu: Callable[[nn.Module], None] = lambda network: None

    def types(self, precision: Precision) -> dict[str, torch.dtype]:
        """Of the inputs and outputs that are not FP32 at every precision."""
        return {name: TYPES[precision].features for name in FEATURES if name in self.inputs or name in self.outputs}

    def module(self, network: nn.Module, precision: Precision, reviewed: Sequence[str] = ()) -> nn.Module:
        """The network, whose weights are given their types in place, behind the graph's tensors.

        Raises:
            ValueError: a reviewed island is none of the network's modules.
        """
        module = self.wrap(network).eval()
        typed(network, precision, self.islands, reviewed)
        types = self.types(precision)
        kinds = [types.get(name, torch.float32) for name in self.outputs]

        def cast(_module: nn.Module, _inputs: object, output: Tensor | tuple[Tensor, ...]) -> Any:
            if isinstance(output, Tensor):
                return output.to(kinds[0])
            return tuple(each.to(kind) for each, kind in zip(output, kinds, strict=True))

        module.register_forward_hook(cast)
        return module

    def inputs_for(self, preset: Preset, sample: Sample, precision: Precision) -> dict[str, Tensor]:
        """An example, typed."""
        types = self.types(precision)
        return {name: x.to(types.get(name, x.dtype)) for name, x in self.example(preset, sample).items()}


class Pi3Graph(nn.Module):
    """π³ for one scene: world points, confidence in (0, 1), cameras."""

    def __init__(self, network: Pi3) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output = self.network(images[None])
        return output.points[0], output.confidence_logits[0].sigmoid(), output.camera_poses[0]


class EncoderGraph(nn.Module):
    """The image encoder at its one size."""

    def __init__(self, network: Sam2ImageEncoder) -> None:
        super().__init__()
        network.fold_positions()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return tuple(self.network(images))


class EmbedderGraph(nn.Module):
    """The part of the mask decoder that depends on the scene only."""

    def __init__(self, network: MaskDecoder) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, image_embedding: Tensor, grid_points: Tensor, grid_low_confidence: Tensor
    ) -> tuple[Tensor, Tensor]:
        points = self.network.embed(image_embedding, PlacedGrid(grid_points, grid_low_confidence))
        return points.content, points.position


class DecoderGraph(nn.Module):
    """The rest of it, with its tensors side by side."""

    def __init__(self, network: MaskDecoder) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        point_embedding: Tensor,
        point_position: Tensor,
        high_res_0: Tensor,
        high_res_1: Tensor,
        prompt_points: Tensor,
        prompt_low_confidence: Tensor,
        prompt_labels: Tensor,
        mask_prompts: Tensor,
        mask_index: Tensor,
    ) -> Tensor:
        return self.network.decode(
            PointEmbedding(point_embedding, point_position),
            high_res_0,
            high_res_1,
            PlacedPrompts(prompt_points, prompt_low_confidence, prompt_labels, mask_prompts, mask_index),
        )


def _pi3_example(preset: Preset, sample: Sample) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(sample.seed)
    height, width = (side * preset.pi3.patch for side in sample.patches)
    return {"images": torch.rand(sample.views, 3, height, width, generator=generator)}


def _encoder_example(preset: Preset, sample: Sample) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(sample.seed)
    return {"images": torch.randn(sample.views, 3, preset.encoder.side, preset.encoder.side, generator=generator)}


def _embedder_example(preset: Preset, sample: Sample) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(sample.seed)
    n, e = sample.views, preset.grid_side
    return {
        "image_embedding": torch.randn(n, preset.decoder.dim, e, e, generator=g),
        "grid_points": torch.randn(n, e, e, 3, generator=g),
        "grid_low_confidence": torch.rand(n, e, e, generator=g) < 0.15,
    }


def _decoder_example(preset: Preset, sample: Sample) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(sample.seed)
    n, o, p, m, e, dim = (
        sample.views,
        sample.objects,
        sample.prompts,
        sample.masks,
        preset.grid_side,
        preset.decoder.dim,
    )
    labels = torch.randint(-1, 2, (o, p), generator=g, dtype=torch.int32)
    labels[:, 0] = 1
    return {
        "point_embedding": torch.randn(n, e * e, dim, generator=g),
        "point_position": torch.randn(n, e * e, dim, generator=g),
        "high_res_0": torch.randn(n, dim // 8, 4 * e, 4 * e, generator=g),
        "high_res_1": torch.randn(n, dim // 4, 2 * e, 2 * e, generator=g),
        "prompt_points": torch.randn(o, p, 3, generator=g),
        "prompt_low_confidence": torch.rand(o, p, generator=g) < 0.15,
        "prompt_labels": labels,
        "mask_prompts": 10 * torch.randn(m + 1, 1, 4 * e, 4 * e, generator=g),
        "mask_index": torch.randint(0, m + 1, (o, n), generator=g, dtype=torch.int32),
    }


def _spare(network: nn.Module) -> None:
    """On a CPU a click costs what it computes: few tokens take the cheaper order of products, no masks take no time."""
    assert isinstance(network, MaskDecoder)
    reassociate(network)
    network.mask_prompt_encoder.skipping = True


GRAPHS: dict[str, Graph] = {
    graph.name: graph
    for graph in (
        Graph(
            "pi3",
            "pi3",
            Pi3Graph,
            {"images": ("views", 3, "height", "width")},
            {
                "points": ("views", "height", "width", 3),
                "confidence": ("views", "height", "width"),
                "camera_poses": ("views", 4, 4),
            },
            _pi3_example,
            islands=pi3.ISLANDS,
        ),
        Graph(
            "sam2_encoder",
            "sam2_encoder",
            EncoderGraph,
            {"images": ("views", 3, "S", "S")},
            {
                "image_embedding": ("views", 256, "E", "E"),
                "high_res_0": ("views", 32, "4E", "4E"),
                "high_res_1": ("views", 64, "2E", "2E"),
            },
            _encoder_example,
            islands=image_encoder.ISLANDS,
        ),
        Graph(
            "point_embedder",
            "mask_decoder",
            EmbedderGraph,
            {
                "image_embedding": ("views", 256, "E", "E"),
                "grid_points": ("views", "E", "E", 3),
                "grid_low_confidence": ("views", "E", "E"),
            },
            {"point_embedding": ("views", "EE", 256), "point_position": ("views", "EE", 256)},
            _embedder_example,
        ),
        Graph(
            "mask_decoder",
            "mask_decoder",
            DecoderGraph,
            {
                "point_embedding": ("views", "EE", 256),
                "point_position": ("views", "EE", 256),
                "high_res_0": ("views", 32, "4E", "4E"),
                "high_res_1": ("views", 64, "2E", "2E"),
                "prompt_points": ("objects", "prompts", 3),
                "prompt_low_confidence": ("objects", "prompts"),
                "prompt_labels": ("objects", "prompts"),
                "mask_prompts": ("masks1", 1, "4E", "4E"),
                "mask_index": ("objects", "views"),
            },
            {"mask_logits": ("objects", "views", "4E", "4E")},
            _decoder_example,
            for_cpu=_spare,
        ),
    )
}
