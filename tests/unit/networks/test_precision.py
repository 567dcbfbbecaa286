"""Which numbers a typed network computes in, and that a CPU really rounds to them."""

import pytest
import torch
from torch import Tensor, nn

from mvsam.networks.graphs import GRAPHS, Sample
from mvsam.networks.precision import TYPES, Islands, typed
from mvsam.networks.presets import PRESETS, Precision
from mvsam.networks.seeded import seed_weights

REDUCED = [Precision.FP16, Precision.BF16, Precision.MIXED]


class Branch(nn.Module):
    """A residual branch and an exponential behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(4))
        self.norm = nn.LayerNorm(4)
        self.linear = nn.Linear(4, 4)
        self.between = nn.Linear(4, 4)
        self.upscale = nn.ConvTranspose2d(4, 4, 1)
        self.head = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
        self.kinds: dict[str, torch.dtype] = {}

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.bias.dtype) + self.bias
        self.kinds["normed"] = (normed := self.norm(x)).dtype
        self.kinds["branch"] = (branch := self.linear(normed)).dtype
        self.kinds["stream"] = (x := self.between(x + branch)).dtype
        self.kinds["upscaled"] = self.upscale(x[None, :, None, None].mT.reshape(1, 4, 1, -1)).dtype
        return self.head(x)


ISLANDS: dict[type[nn.Module], Islands] = {Branch: Islands(fp32=("head",), stream=("between",))}


@pytest.mark.parametrize("precision", REDUCED)
def test_the_rules(precision: Precision) -> None:
    matrix, stream, _ = TYPES[precision]
    network = typed(Branch(), precision, ISLANDS)
    assert isinstance(network, Branch)
    assert network(torch.randn(4)).dtype == torch.float32
    deconvolution = torch.float32 if precision is Precision.BF16 else matrix
    assert network.kinds == {"normed": stream, "branch": matrix, "stream": stream, "upscaled": deconvolution}
    assert network.norm.weight.dtype == network.head[1].weight.dtype == torch.float32
    assert network.between.weight.dtype == network.bias.dtype == stream


def test_fp32_is_left_alone() -> None:
    network = Branch()
    assert typed(network, Precision.FP32, ISLANDS) is network
    assert not network.linear._forward_pre_hooks


def test_reviewed_islands_compute_in_fp32_and_must_exist() -> None:
    network = typed(Branch(), Precision.FP16, ISLANDS, ["linear"])
    assert isinstance(network, Branch)
    network(torch.randn(4))
    assert network.kinds["branch"] == torch.float32
    with pytest.raises(ValueError, match=r"Branch has no module linaer: correct the file of islands"):
        typed(Branch(), Precision.FP16, ISLANDS, ["linaer"])


def test_a_cpu_rounds_and_overflows_as_fp16_does() -> None:
    linear = nn.Linear(1, 1, bias=False)
    nn.init.constant_(linear.weight, 1.0)
    half = typed(nn.Sequential(linear), Precision.FP16, {})
    assert half(torch.tensor([2049.0])).item() == 2048.0, "rounded to even"
    with torch.no_grad():
        linear.weight.fill_(300.0)
    assert torch.isinf(half(torch.tensor([300.0])))
    mixed = typed(nn.Sequential(nn.Linear(1, 1)), Precision.BF16, {})
    assert torch.isfinite(mixed(torch.tensor([1e30]))).all()


@pytest.mark.parametrize("precision", REDUCED)
@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_give_tensors_of_the_declared_types_close_to_fp32(name: str, precision: Precision) -> None:
    from mvsam.networks.checkpoints import build_network

    graph, demo = GRAPHS[name], PRESETS["demo"]
    sample = Sample(views=2, patches=(6, 5))
    results = []
    for each in (Precision.FP32, precision):
        network = build_network(demo, graph.network)
        seed_weights(network)
        with torch.inference_mode():
            result = graph.module(network, each)(**graph.inputs_for(demo, sample, each))
        results.append(result if isinstance(result, tuple) else (result,))
    types = graph.types(precision)
    for output, full, reduced in zip(graph.outputs, *results, strict=True):
        assert reduced.dtype == types.get(output, torch.float32)
        error = ((reduced.float() - full).abs().max() / full.abs().max()).item()
        assert 0 < error < (5e-2 if precision is Precision.BF16 else 5e-3), output
