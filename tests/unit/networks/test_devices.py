"""Networks compute where their weights and inputs are: no operation of theirs meets a tensor of the CPU elsewhere.

The other device here is `meta`, whose tensors have no numbers: it needs no GPU. PyTorch itself lets an operation mix
`meta` with the CPU, so a mode looks at each.
"""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mvsam.networks.checkpoints import build_network
from mvsam.networks.graphs import GRAPHS, Sample
from mvsam.networks.presets import PRESETS, Precision

META = torch.device("meta")


class Elsewhere(TorchDispatchMode):
    """Keeps the names of operations that are given a tensor of another device; a single number may be anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        if any(x.device != META and x.ndim > 0 for x in given):
            self.found.add(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("precision", list(Precision))
@pytest.mark.parametrize("name", list(GRAPHS))
@torch.inference_mode()
def test_a_moved_network_computes_where_it_is(name: str, precision: Precision) -> None:
    preset, graph = PRESETS["demo"], GRAPHS[name]
    module = graph.module(build_network(preset, graph.network), precision).to(META)
    sample = Sample(views=3, objects=2, prompts=4, masks=1, patches=(6, 10))
    inputs = {key: x.to(META) for key, x in graph.inputs_for(preset, sample, precision).items()}
    with Elsewhere() as mode:
        outputs = module(**inputs)
    assert not mode.found
    assert all(x.device == META for x in tree_leaves(outputs))
