"""BF16 where it is multiplied, FP32 where it would be taken apart."""

import pytest
import torch

from mvsam.training.config import Precision
from mvsam.training.precision import usable


@pytest.mark.parametrize(
    ("instructions", "cpu", "asked", "used"),
    [
        ({"avx512_bf16": False, "amx_bf16": False}, True, Precision.BF16, Precision.FP32),
        ({"avx512_bf16": True}, True, Precision.BF16, Precision.BF16),
        ({"amx_bf16": True}, True, Precision.BF16, Precision.BF16),
        ({}, True, Precision.BF16, Precision.FP32),
        ({}, False, Precision.BF16, Precision.BF16),
        ({"avx512_bf16": True}, True, Precision.FP32, Precision.FP32),
    ],
)
def test_bf16_is_for_what_multiplies_it(
    instructions: dict[str, bool], cpu: bool, asked: Precision, used: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions)
    assert usable(asked, cpu=cpu) is used
