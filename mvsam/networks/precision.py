"""Typed networks: which numbers each part of a network computes in, decided before it is exported.

TensorRT follows the types in the graph and decides none itself. Three rules give every tensor its type; what deviates
from them is declared beside the network that it belongs to:

- matrix products and convolutions compute in the precision's matrix type,
- LayerNorm computes in FP32,
- what flows past the branches of residual blocks, and the learned vectors added to it, is of the stream's type.

A module casts what it is given to the type of its weights; sums of two types are of the wider one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mvsam.networks.presets import Precision

MATRIX_MODULES = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


class Types(NamedTuple):
    """Of a precision's tensors."""

    matrix: torch.dtype  # products and convolutions
    stream: torch.dtype  # residual streams
    features: torch.dtype  # what one graph hands to the next


TYPES = {
    Precision.FP32: Types(torch.float32, torch.float32, torch.float32),
    Precision.FP16: Types(torch.float16, torch.float16, torch.float16),
    Precision.BF16: Types(torch.bfloat16, torch.float32, torch.float16),
    Precision.MIXED: Types(torch.float16, torch.float32, torch.float16),
}


@dataclass(frozen=True)
class Islands:
    """What of a module's children and own parameters follows no rule; a name stands for all that is below it.

    Attributes:
        fp32: computed in FP32, results too.
        stream: computed in the stream's type.
    """

    fp32: tuple[str, ...] = ()
    stream: tuple[str, ...] = ()


def typed(
    network: nn.Module,
    precision: Precision,
    islands: Mapping[type[nn.Module], Islands],
    reviewed: Sequence[str] = (),
) -> nn.Module:
    """Gives every weight of a network its type, in place, and makes every module cast what it is given.

    Args:
        network: in FP32.
        precision: the three rules' types.
        islands: of each class of module in it.
        reviewed: names of further modules that compute in FP32, as calibration proposes them.

    Raises:
        ValueError: the network has no module of a reviewed name; the message names both.
    """
    if precision is Precision.FP32:
        return network
    matrix_type, stream_type, _ = TYPES[precision]
    modules = dict(network.named_modules())
    if unknown := [name for name in reviewed if name not in modules]:
        raise ValueError(f"{type(network).__name__} has no module {', '.join(unknown)}: correct the file of islands")
    fp32 = {*reviewed, *_declared(modules, {kind: island.fp32 for kind, island in islands.items()})}
    stream = {*_declared(modules, {kind: island.stream for kind, island in islands.items()})}
    for name, module in modules.items():
        if _within(name, fp32):
            _compute_in(module, torch.float32)
            _give_types(module, name, torch.float32, stream, stream_type)
        elif isinstance(module, nn.LayerNorm):
            _compute_in(module, torch.float32)
            module.register_forward_hook(_returning(stream_type))
        elif isinstance(module, MATRIX_MODULES):
            kind = stream_type if _within(name, stream) else _product_type(module, matrix_type)
            _give_types(module, name, kind, fp32, torch.float32)
            _compute_in(module, kind)
        else:
            _give_types(module, name, stream_type, fp32, torch.float32)
    return network


def _product_type(module: nn.Module, matrix_type: torch.dtype) -> torch.dtype:
    """TensorRT has no BF16 deconvolution."""
    deconvolution = isinstance(module, nn.ConvTranspose2d)
    return torch.float32 if deconvolution and matrix_type is torch.bfloat16 else matrix_type


def _declared(modules: Mapping[str, nn.Module], names: Mapping[type[nn.Module], Sequence[str]]) -> Iterator[str]:
    """Whole names of what each class's declaration names."""
    for path, module in modules.items():
        for name in names.get(type(module), ()):
            yield f"{path}.{name}" if path else name


def _within(name: str, parents: set[str]) -> bool:
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents)


def _give_types(module: nn.Module, name: str, usual: torch.dtype, others: set[str], other: torch.dtype) -> None:
    """Types of a module's own parameters; of those below it, its children decide."""
    for own, parameter in module.named_parameters(recurse=False):
        whole = f"{name}.{own}" if name else own
        kind = other if _within(whole, others) else usual
        setattr(module, own, nn.Parameter(parameter.detach().to(kind), requires_grad=False))


def _compute_in(module: nn.Module, kind: torch.dtype) -> None:
    """Casts the numbers that a module is called with."""

    def cast(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(x.to(kind) if isinstance(x, Tensor) and x.is_floating_point() else x for x in inputs)

    module.register_forward_pre_hook(cast)


def _returning(kind: torch.dtype) -> Callable[..., Tensor]:
    def cast(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        return output.to(kind)

    return cast
