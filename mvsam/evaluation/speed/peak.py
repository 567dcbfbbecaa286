"""The machine's ceiling: large matrix products, timed in the same rounds as everything else."""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F

from mvsam.evaluation.speed.cases import Case, Task
from mvsam.evaluation.speed.subjects import Outputs, Subject, Way, in_words, with_threads
from mvsam.networks.precision import TYPES
from mvsam.networks.presets import Precision

SIDES = {"cpu": 2048, "cuda": 8192}


def product_subjects(precisions: Iterable[Precision], device: torch.device, threads: int | None) -> Iterator[Subject]:
    """One square product for every type that the precisions multiply in, named by the first precision that does."""
    side = SIDES[device.type]
    types = {}
    for precision in precisions:
        types.setdefault(TYPES[precision].matrix, precision)
    for kind, precision in types.items():
        a, b = (torch.randn(side, side, generator=torch.Generator().manual_seed(i)).to(device, kind) for i in range(2))

        def call(a: torch.Tensor = a, b: torch.Tensor = b) -> Outputs:
            return [{"product": F.linear(a, b)}]  # as networks multiply: `a @ b` in FP16 is slow on CPUs

        yield Subject(
            Case(Task.PRODUCT, views=0),
            Way("PyTorch", precision, in_words(threads, f"{side}×{side}, {_name(kind)}")),
            call,
            with_threads(threads),
        )


def _name(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")
