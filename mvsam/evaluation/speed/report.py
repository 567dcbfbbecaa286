"""The figures as JSON, and as a document for people."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mvsam.evaluation.markdown import facts, table
from mvsam.evaluation.speed.cases import Task
from mvsam.evaluation.speed.measuring import Measured
from mvsam.evaluation.speed.ratios import Ratio
from mvsam.networks.precision import TYPES

MEGABYTE = 1 << 20
NOTES = """Medians of calls that took turns with all others of this document in one run, with quartiles. *TFLOP* are
counted on the networks as they are written (two for a multiply-add, attention included), also where a runtime needs
fewer. *Of peak* is their rate over that of the fastest large matrix product of the same type, on all threads. *Memory*
is what a call needs at most beside weights and inputs. *IoU* (mean, worst view) and *error* (largest difference of an
output relative to its largest value) compare with FP32 eager PyTorch on the same inputs. Inputs are noise; photographs
and frames are decoded beforehand. SAM2-Video has seeded weights and is given
one click, on the first frame."""


@dataclass(frozen=True)
class Report:
    """Of one run.

    Attributes:
        facts: of the machine and the networks.
        results: of every subject.
        answers: ratios of them.
        missing: what was not timed, and why.
    """

    facts: dict[str, Any]
    results: Sequence[Measured]
    answers: Sequence[Ratio]
    missing: Sequence[str]

    def peak(self, result: Measured) -> float | None:
        """Operations a second of the fastest matrix product in the result's type."""
        kind = TYPES[result.way.precision].matrix
        products = [
            each.flops / each.seconds.least
            for each in self.results
            if each.case.task is Task.PRODUCT and TYPES[each.way.precision].matrix == kind
        ]
        return max(products, default=None)

    def as_json(self) -> dict[str, Any]:
        """Times in seconds, memory in bytes."""
        rows = []
        for each in self.results:
            peak = self.peak(each)
            rows.append(
                asdict(each)
                | {
                    "flops per second": each.flops_per_second,
                    "fraction of peak": each.flops_per_second / peak if peak else None,
                }
            )
        return self.facts | {
            "results": rows,
            "ratios": [asdict(each) for each in self.answers],
            "not timed": list(self.missing),
        }

    def as_markdown(self, plot: str) -> str:
        """A document.

        Args:
            plot: the picture's file, relative to the document.
        """
        parts = [f"# Speed\n\n{facts(self.facts)}", NOTES, f"![Cost against views]({plot})"]
        if self.answers:
            parts.append(table(["", "times", "slower", "faster"], [_answer(each) for each in self.answers]))
        for task in Task:
            rows = [each for each in self.results if each.case.task is task]
            if rows:
                parts.append(f"## {task[0].upper()}{task[1:]}\n\n{self._results(rows)}")
        if self.missing:
            parts.append("## Not timed\n\n" + "\n".join(f"- {each}" for each in self.missing))
        return "\n\n".join(parts) + "\n"

    def _results(self, rows: Sequence[Measured]) -> str:
        columns: dict[str, Callable[[Measured], str]] = {
            "views": lambda x: str(x.case.views),
            "prompts": lambda x: str(x.case.prompts),
            "runtime": lambda x: x.way.runtime,
            "precision": lambda x: x.way.precision,
            "setting": lambda x: x.way.setting,
            "ms": lambda x: f"**{_ms(x.seconds.median)}**",
            "quartiles": lambda x: f"{_ms(x.seconds.lower)}–{_ms(x.seconds.upper)}",
            "samples": lambda x: str(x.seconds.samples),
            "TFLOP": lambda x: f"{x.flops / 1e12:.4g}",
            "TFLOP/s": lambda x: f"{x.flops_per_second / 1e12:.3g}",
            "of peak": lambda x: f"{x.flops_per_second / peak:.0%}" if (peak := self.peak(x)) else "–",
            "memory, MB": lambda x: f"{x.memory / MEGABYTE:.0f}",
            "IoU": _iou,
            "error": lambda x: f"{x.agreement.error:.1e}" if x.agreement else "–",
        }
        ordered = sorted(rows, key=lambda x: (x.case.prompts, x.case.views, x.seconds.median))
        return table(list(columns), [[cell(each) for cell in columns.values()] for each in ordered])


def _answer(each: Ratio) -> list[str]:
    return [each.question, f"**{each.value:.2f}**", each.over, each.under]


def _iou(each: Measured) -> str:
    if each.agreement is None or each.agreement.mean_iou is None:
        return "–"
    return f"{each.agreement.mean_iou:.4f} / {each.agreement.worst_iou:.4f}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.4g}" if seconds < 10 else f"{1000 * seconds:.0f}"
