"""Products of half precision on a CPU: accumulated in FP32 and rounded once, as tensor cores do.

PyTorch's own kernels for them round likewise and take eight times as long.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

_ATEN = torch.ops.aten
_PRODUCTS = {
    _ATEN.linear,
    _ATEN.matmul,
    _ATEN.mm,
    _ATEN.addmm,
    _ATEN.bmm,
    _ATEN.conv2d,
    _ATEN.conv_transpose2d,
    _ATEN.convolution,
}


class HalfProducts(TorchDispatchMode):
    """While it is entered, matrix products and convolutions of FP16 tensors on a CPU go through FP32."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket not in _PRODUCTS or not _is_half_on_cpu(args[0]):
            return func(*args, **kwargs)
        wide: Callable[[Tensor], Tensor] = Tensor.float
        return func(*tree_map_only(Tensor, wide, args), **tree_map_only(Tensor, wide, kwargs)).half()


def _is_half_on_cpu(x: object) -> bool:
    return isinstance(x, Tensor) and x.dtype is torch.float16 and x.device.type == "cpu"
