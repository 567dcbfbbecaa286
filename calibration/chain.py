"""A preset's three networks as one chain that rounds as a GPU does."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from mvsam.networks.checkpoints import WeightSource, load_network
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import NETWORKS, Precision, Preset
from mvsam.runtime.pytorch import PyTorchSession
from mvsam.runtime.segmenter import Segmenter


@dataclass(frozen=True)
class Networks:
    """Of one preset, in FP32.

    Attributes:
        preset: their sizes.
        modules: each by its name.
        weights: what is known of where each one's come from.
    """

    preset: Preset
    modules: dict[str, nn.Module]
    weights: dict[str, dict[str, Any]]

    @classmethod
    def load(cls, preset: Preset, weights: Path, seeded: Sequence[str] = ()) -> "Networks":
        """From files, those named `seeded` with random weights.

        Raises:
            CheckpointError: a file is missing or is not the one it was.
        """
        sources = {name: WeightSource.SEEDED if name in seeded else WeightSource.FILES for name in NETWORKS}
        loaded = {name: load_network(preset, name, source, weights) for name, source in sources.items()}
        return cls(
            preset,
            {name: module for name, (module, _) in loaded.items()},
            {name: known for name, (_, known) in loaded.items()},
        )

    def segmenter(
        self, precisions: Mapping[str, Precision], islands: Mapping[str, Sequence[str]], device: str = "cpu"
    ) -> Segmenter:
        """The chain in PyTorch, of typed copies; on a CPU every intermediate is rounded to its type.

        Args:
            precisions: of graphs; FP32 where none is named.
            islands: of graphs, names of modules that compute in FP32 besides those that the networks declare.
            device: where they compute, as PyTorch calls it.

        Raises:
            ValueError: an island is none of its network's modules.
        """
        sessions = [
            PyTorchSession(
                graph,
                copy.deepcopy(self.modules[graph.network]),
                precisions.get(name, Precision.FP32),
                islands.get(name, ()),
                device,
            )
            for name, graph in GRAPHS.items()
        ]
        return Segmenter(*sessions, encoder_side=self.preset.encoder.side, geometry_pixels=self.preset.geometry_pixels)
