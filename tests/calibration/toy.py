"""A graph of one residual block, small enough to say what every number of it is."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvsam.networks.graphs import Graph, Sample
from mvsam.networks.presets import Preset

WIDTH = 8


class Toy(nn.Module):
    """Two products on a branch of a stream that begins with an offset, and a product of the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(WIDTH))
        self.norm = nn.LayerNorm(WIDTH)
        self.fc1 = nn.Linear(WIDTH, WIDTH)
        self.fc2 = nn.Linear(WIDTH, WIDTH)
        self.out_norm = nn.LayerNorm(WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for layer in (self.fc1, self.fc2, self.out):
                layer.weight.copy_(torch.randn(WIDTH, WIDTH, generator=generator) / WIDTH**0.5)
                layer.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.offset.dtype) + self.offset
        x = x + self.fc2(F.relu(self.fc1(self.norm(x))))
        return self.out(self.out_norm(x))


class ToyGraph(nn.Module):
    """The network behind its tensors."""

    def __init__(self, network: Toy) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


def _example(preset: Preset, sample: Sample) -> dict[str, Tensor]:
    raise NotImplementedError


GRAPH = Graph("toy", "toy", ToyGraph, {"x": ("rows", WIDTH)}, {"y": ("rows", WIDTH)}, _example)
INPUTS = [{"x": np.random.default_rng(seed).standard_normal((50, WIDTH), dtype=np.float32)} for seed in range(2)]
