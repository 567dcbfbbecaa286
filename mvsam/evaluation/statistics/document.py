"""docs/statistics.md: the paper's Tables 7 and 8, and the same figures here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mvsam.evaluation.markdown import facts, table
from mvsam.evaluation.speed.cases import Task
from mvsam.evaluation.speed.measuring import Measured
from mvsam.evaluation.statistics.counts import Counts, Method, Operations

PREPARATION = {Method.SAM2_VIDEO: Task.ENCODER, Method.MVSAM: Task.SCENE}
QUERY = {Method.SAM2_VIDEO: Task.PROPAGATION, Method.MVSAM: Task.CLICK}


class PaperTimes(NamedTuple):
    """A line of the paper's Table 7, in seconds."""

    preparation: float
    query: float


PAPER_TIMES = {
    "SAGA": PaperTimes(31 * 60, 0.528),
    "OmniSeg3D": PaperTimes(37 * 60, 0.463),
    Method.SAM2_VIDEO: PaperTimes(3.2, 4.8),
    Method.MVSAM: PaperTimes(5.1, 1.1),
}
PAPER_TRAINABLE = {Method.SAM2_VIDEO: 12.3, Method.MVSAM: 4.1}  # Table 8, millions
PAPER_TFLOPS = {Method.SAM2_VIDEO: 16.8, Method.MVSAM: 44.6}
OPERATIONS = ("TFLOP", "T multiply-adds", "T multiply-adds of layers alone")

TIMES = """Medians of calls that took turns in one run; where a runtime has several settings, the fastest.
*Pre-processing* is once a scene. For SAM2-Video it is the image encoder over all frames. For MV-SAM it is π³, the
pointmap normaliser, the same encoder and the point embedder. *Inference* is from one click in the first frame to mask
logits of 540×960 in all frames. SAM2-Video carries the click from frame to frame with cached features. MV-SAM lifts it
and decodes every view. Reading frames, and what follows the logits (threshold, sprinkles, encoding), are excluded for
both. Frames are noise. SAM2-Video has seeded weights and is the `sam2` package's predictor in PyTorch.

The paper's figures are of full-size networks on its authors' machine, those of SAGA and OmniSeg3D too: nothing of
these two was run here. Ratios can be compared, levels cannot; and where the preset is a small one, SAM2-Video keeps the
width of its memory, so that its inference weighs more than at full size."""

SIZES = """*Trainable* is the paper's count: of MV-SAM the mask decoder and SAM2's neck, of SAM2-Video all but the
trunk. Operations are those of matrix products, convolutions and attention in a scene and one click, on the networks as
they are written, counted on tensors without numbers. *TFLOP* has two for every multiply-add, attention included. *T
multiply-adds* is half of that. *Layers alone* are the multiply-adds without attention's products of queries with keys
and weights with values, which tools leave out that count by module. The paper gives its TFLOPs without a convention and
without π³'s picture size; every frame here is 16:9. For SAM2-Video they are what its layers alone come to, so that is
probably how the paper counted. MV-SAM's layers alone then come to 8 % less than the paper says, which nothing here
explains."""


@dataclass(frozen=True)
class Statistics:
    """Of one run.

    Attributes:
        facts: of the machine and the networks.
        results: of every subject.
        counts: of the paper's set-up first, of the timed one last; one where they are the same.
        missing: what was not timed, and why.
    """

    facts: Mapping[str, Any]
    results: Sequence[Measured]
    counts: Sequence[Counts]
    missing: Sequence[str]

    def as_markdown(self) -> str:
        """A document."""
        timed = self.counts[-1]
        title = f"## Times of preset {timed.preset}, {timed.frames} frames (Table 7)"
        parts = ["# Statistics of the model", facts(self.facts), title, TIMES]
        head = ["", "pre-processing", "inference", "paper: pre-processing", "paper: inference"]
        parts += [table(head, self._times()), table(["times", "here", "paper"], self._ratios())]
        parts += ["## Parameters and operations (Table 8)", SIZES]
        for each in self.counts:
            height, width = each.size
            parts.append(f"### Preset {each.preset}, {each.frames} frames, π³ sees {height}×{width}")
            parts += [_sizes(each, beside_paper=each is self.counts[0]), _parts(each), _networks(each)]
        parts += [
            "## All settings",
            table(["what", "by", "setting", "time", "quartiles", "samples"], self._settings()),
        ]
        if self.missing:
            parts.append("## Not timed\n\n" + "\n".join(f"- {each}" for each in self.missing))
        return "\n\n".join(parts) + "\n"

    def _times(self) -> Iterator[list[str]]:
        for name, paper in PAPER_TIMES.items():
            theirs = [_duration(paper.preparation), _duration(paper.query)]
            if not isinstance(name, Method):
                yield [f"{name} (the paper's)", "–", "–", *theirs]
                continue
            for runtime in self._runtimes(name):
                own = (self._seconds(tasks[name], runtime) for tasks in (PREPARATION, QUERY))
                yield [f"{name}, {runtime}", *(f"**{_duration(seconds)}**" for seconds in own), *theirs]

    def _ratios(self) -> Iterator[list[str]]:
        video, mvsam = PAPER_TIMES[Method.SAM2_VIDEO], PAPER_TIMES[Method.MVSAM]
        (base,) = self._runtimes(Method.SAM2_VIDEO)
        for runtime in self._runtimes(Method.MVSAM):
            prepared, asked = (self._seconds(task, runtime) for task in (Task.SCENE, Task.CLICK))
            longer = prepared / self._seconds(Task.ENCODER, base)
            faster = self._seconds(Task.PROPAGATION, base) / asked
            paper_longer, paper_faster = mvsam.preparation / video.preparation, video.query / mvsam.query
            yield [
                f"pre-processing: MV-SAM ({runtime}) longer than SAM2-Video",
                f"**{longer:.3g}**",
                f"{paper_longer:.2g}",
            ]
            yield [f"inference: MV-SAM ({runtime}) faster than SAM2-Video", f"**{faster:.3g}**", f"{paper_faster:.2g}"]

    def _settings(self) -> Iterator[list[str]]:
        for each in self.results:
            spread = each.seconds
            quartiles = f"{_duration(spread.lower)} – {_duration(spread.upper)}"
            yield [
                each.case.task,
                each.way.runtime,
                each.way.setting,
                _duration(spread.median),
                quartiles,
                str(spread.samples),
            ]

    def _runtimes(self, method: Method) -> list[str]:
        """That answer a method's clicks."""
        return list(dict.fromkeys(each.way.runtime for each in self.results if each.case.task is QUERY[method]))

    def _seconds(self, task: Task, runtime: str) -> float:
        """Of the fastest setting."""
        return min(x.seconds.median for x in self.results if x.case.task is task and x.way.runtime == runtime)


def _sizes(counts: Counts, *, beside_paper: bool) -> str:
    head = ["", "trainable", *OPERATIONS]
    rows = [
        [method, f"**{counts.trainable[method] / 1e6:.1f} M**", *_operations(counts.total(method))] for method in Method
    ]
    if beside_paper:
        head += ["paper: trainable", "paper: TFLOPs"]
        rows = [[*row, f"{PAPER_TRAINABLE[x]} M", str(PAPER_TFLOPS[x])] for row, x in zip(rows, Method, strict=True)]
    return table(head, rows)


def _parts(counts: Counts) -> str:
    rows = [
        [method, task, *_operations(each)]
        for method, parts in counts.operations.items()
        for task, each in parts.items()
    ]
    return table(["", "part", *OPERATIONS], rows)


def _networks(counts: Counts) -> str:
    return table(["network", "parameters"], [[name, f"{number:,}"] for name, number in counts.parameters.items()])


def _operations(each: Operations) -> list[str]:
    return [f"{number / 1e12:.4g}" for number in (each.flops, each.multiply_adds, each.layers)]


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 600 else f"{seconds / 60:.3g} min"
