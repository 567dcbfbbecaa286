"""Half precision on a CPU really rounds and really overflows; products do so whichever kernel computes them."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from mvsam.networks.precision import typed
from mvsam.networks.presets import Precision
from mvsam.networks.rounding import HalfProducts

KERNELS = pytest.mark.parametrize("kernels", [nullcontext, HalfProducts])


class Stream(nn.Module):
    """A residual block of numbers that are chosen."""

    def __init__(self, weight: float, bias: float) -> None:
        super().__init__()
        self.branch = nn.Linear(1, 1)
        nn.init.constant_(self.branch.weight, weight)
        nn.init.constant_(self.branch.bias, bias)
        self.offset = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.offset.dtype)
        return x + self.branch(x)


def computed(module: nn.Module, precision: Precision, x: float, kernels: type) -> float:
    with torch.inference_mode(), kernels():
        return typed(module, precision, {})(torch.tensor([[x]])).item()


@KERNELS
def test_a_product_beyond_the_largest_number_is_infinite(kernels: type) -> None:
    assert computed(Stream(300.0, 0.0), Precision.FP32, 300.0, kernels) == 90_300.0
    assert computed(Stream(300.0, 0.0), Precision.FP16, 300.0, kernels) == float("inf")
    assert computed(Stream(218.0, 0.0), Precision.FP16, 299.0, kernels) < 65_504.0


@KERNELS
def test_a_stream_drops_bits_unless_it_is_wider(kernels: type) -> None:
    """FP16 counts by twos from 2048 on."""
    assert computed(Stream(0.0, 1.0), Precision.FP32, 2048.0, kernels) == 2049.0
    assert computed(Stream(0.0, 1.0), Precision.FP16, 2048.0, kernels) == 2048.0
    assert computed(Stream(0.0, 1.0), Precision.MIXED, 2048.0, kernels) == 2049.0


@KERNELS
def test_products_are_rounded_once(kernels: type) -> None:
    """2049 is no FP16 number, yet the exact sum 2048 + 1 + 1 is: partial sums are kept in FP32."""
    ones = nn.Linear(3, 1, bias=False)
    nn.init.ones_(ones.weight)
    with torch.inference_mode(), kernels():
        assert ones.half()(torch.tensor([[2048.0, 1.0, 1.0]]).half()).item() == 2050.0


def test_both_kernels_agree_to_the_last_bit_or_its_neighbour() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(2, 3, 9, 9, generator=generator).half()
    for layer in (nn.Conv2d(3, 5, 3, stride=2), nn.ConvTranspose2d(3, 5, 2, stride=2), nn.Linear(9, 7)):
        layer.half()
        with torch.inference_mode():
            expected = layer(image)
            with HalfProducts():
                found = layer(image)
        assert found.dtype is torch.float16
        torch.testing.assert_close(found, expected, rtol=2**-9, atol=1e-4)


def test_fp32_is_left_alone() -> None:
    layer, x = nn.Linear(64, 64), torch.randn(8, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = layer(x)
        with HalfProducts():
            assert torch.equal(layer(x), expected)
