"""Results that nobody measured, for what is made of results."""

from mvsam.evaluation.speed.agreement import Agreement
from mvsam.evaluation.speed.cases import Case, Task
from mvsam.evaluation.speed.measuring import Measured
from mvsam.evaluation.speed.subjects import Way
from mvsam.evaluation.speed.timing import Spread
from mvsam.networks.presets import Precision

SAME = Agreement(1e-6, 1.0, 1.0)
WRONG = Agreement(2.0, 0.5, 0.1)


def result(
    task: Task,
    views: int,
    seconds: list[float],
    runtime: str = "PyTorch eager",
    agreement: Agreement | None = SAME,
    flops: int = 10**9,
    setting: str = "",
) -> Measured:
    """Of one prompt, in FP32."""
    way = Way(runtime, Precision.FP32, setting)
    return Measured(Case(task, views, prompts=1), way, Spread.of(seconds), flops, memory=1 << 20, agreement=agreement)
