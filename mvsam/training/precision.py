"""BF16 is for what multiplies it: many a CPU does not."""

import logging

import torch

from mvsam.training.config import Precision

logger = logging.getLogger(__name__)

INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


def usable(precision: Precision, *, cpu: bool) -> Precision:
    """The precision of the forward pass here: FP32 in BF16's place on a CPU without instructions for it, where a step
    would take ten times as long (docs/training.md)."""
    if not cpu or precision is not Precision.BF16:
        return precision
    known = torch.cpu.get_capabilities()
    if any(known.get(name) for name in INSTRUCTIONS):
        return precision
    logger.warning("this CPU has no BF16 instructions: the forward pass is FP32")
    return Precision.FP32
