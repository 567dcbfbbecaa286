"""Attention in FP32 within a BF16 forward pass, for CPUs."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode


class Fp32Attention(TorchFunctionMode):
    """While it is entered, scaled dot products are taken in FP32 whatever the autocast.

    A CPU that multiplies BF16 matrices four times as fast as FP32 ones still takes five times as long for the backward
    pass of BF16 attention (torch 2.13).
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is not F.scaled_dot_product_attention:
            return func(*args, **kwargs)
        query, key, value, *rest = args
        with torch.autocast(query.device.type, enabled=False):
            return func(query.float(), key.float(), value.float(), *rest, **kwargs).to(query.dtype)
