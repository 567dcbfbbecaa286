"""Counted floating-point operations: two for a multiply-add; matrix products, convolutions and attention."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

T = TypeVar("T")


def _attention(query: Any, key: Any, value: Any, *_args: Any, out_shape: Any = None, **_options: Any) -> int:
    return sdpa_flop_count(query, key, value)


# PyTorch's counter knows attention on GPUs, and silently counts nothing for the one on CPUs.
CPU_ATTENTION = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention}


def counted(call: Callable[[], T]) -> tuple[T, int]:
    """What an eager PyTorch call returns, and its operations."""
    with FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION) as counter:
        result = call()
    return result, counter.get_total_flops()
