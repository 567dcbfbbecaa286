"""What is timed, whoever computes it, and the noise that it is computed from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

from mvsam.networks.graphs import GRAPHS, Graph, Sample
from mvsam.networks.presets import Preset
from mvsam.networks.prompt_encoder import NEGATIVE, POSITIVE

POSITIVE_PROMPTS = 10  # of the paper's twelve; a case with fewer prompts has positive ones only


class Task(StrEnum):
    """What is computed."""

    PI3 = "π³"
    ENCODER = "SAM2 encoder"
    EMBEDDER = "point embedding"
    SCENE = "scene encoding"  # all three
    CLICK = "click"
    PROPAGATION = "SAM2-Video, features cached"
    ENCODED_PROPAGATION = "SAM2-Video, frames encoded"
    IMAGE_DECODER = "SAM2 image decoder, view by view"
    PRODUCT = "matrix product"


@dataclass(frozen=True)
class Case:
    """One problem that several subjects solve.

    Attributes:
        task: what is computed.
        views: of the scene, or frames of the video.
        prompts: of the one object; 0 where there are none.
    """

    task: Task
    views: int
    prompts: int = 0


def noise(preset: Preset, graph: Graph, views: int, prompts: int, patches: tuple[int, int]) -> dict[str, Tensor]:
    """A graph's inputs for one object, FP32: those of fewer views or prompts are their beginnings.

    Args:
        preset: sizes.
        graph: whose inputs.
        views: the most views of any case.
        prompts: the most prompts of any case; those after the tenth are negative.
        patches: of π³'s images: height, width.
    """
    sample = Sample(views, objects=1, prompts=max(prompts, 1), masks=0, patches=patches)
    tensors = graph.example(preset, sample)
    if "prompt_labels" in tensors:
        labels = torch.full_like(tensors["prompt_labels"], POSITIVE)
        labels[:, POSITIVE_PROMPTS:] = NEGATIVE
        tensors["prompt_labels"] = labels
    return tensors


def part(graph: Graph, arrays: Mapping[str, Any], **spans: slice) -> dict[str, Any]:
    """Arrays of any library, cut along the graph's axes of those names."""
    return {
        name: array[tuple(spans.get(str(axis), slice(None)) for axis in graph.inputs[name])]
        for name, array in arrays.items()
    }


def chunks(graph: Graph, arrays: Mapping[str, Any], case: Case, at_once: int) -> Iterator[dict[str, Any]]:
    """The case's inputs, some views at a time."""
    for start in range(0, case.views, at_once):
        stop = min(start + at_once, case.views)
        yield part(graph, arrays, views=slice(start, stop), prompts=slice(case.prompts))


def gathered(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Outputs of chunks and graphs, joined along the views: name to FP32 tensor on the CPU."""
    axes = {name: shape.index("views") for graph in GRAPHS.values() for name, shape in graph.outputs.items()}
    pieces: dict[str, list[Tensor]] = {}
    for result in results:
        for name, value in result.items():
            pieces.setdefault(name, []).append(_tensor(value))
    return {name: torch.cat(found, dim=axes[name]) for name, found in pieces.items()}


def _tensor(value: Any) -> Tensor:
    """Of a tensor, an array, or what ONNX Runtime leaves on a device."""
    tensor = (
        value if isinstance(value, Tensor) else torch.from_numpy(value.numpy() if hasattr(value, "numpy") else value)
    )
    return tensor.float().cpu()
