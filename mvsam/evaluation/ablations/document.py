"""docs/ablations.md: the paper's tables and ours side by side, and where they disagree."""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from mvsam.evaluation.ablations.queue import Results, Run, runs_of
from mvsam.evaluation.ablations.tables import TABLES, Row, Table
from mvsam.evaluation.ablations.variants import Scale

HEAD = """# The paper's ablations at demo scale

Written by `{command}`; run it again to go on after an interruption.

Every line is a mask decoder of the demo preset's size on features of the demo preset's frozen image encoder. As the
paper's decoders start from SAM2's, all start from one decoder that was trained on single photographs
({scale.start_steps} steps), prompted by turns in space and in the picture, so that neither has an advantage. Then
follow {scale.steps} steps of eight views with up to {scale.objects} objects each, out of {scale.training_scenes}
synthetic scenes of eight views, with the demo recipe's loss and BF16. Each decoder is then asked about
{scale.questions} objects of each of {scale.held_out_scenes} scenes of families and textures that training never shows,
with 10 positive and 2 negative clicks in two views.

*mIoU* is over the views without clicks in which the object is visible. *Found* is the share of the object's pixels that
is marked there, which is what the paper's mAcc is in these tables. *Occluded* is the mIoU over those of these views in
which other things hide at least 15 % of the object. *Strays* are the pixels marked where the object is not seen at all.
All are per cent, with the standard deviation over the seeds. The paper's figures are of other scenes (ScanNet++; three
data sets in Table 14), of full-size networks and of long trainings: orders can be compared, levels cannot.

- encoder's weights, SHA-256: {encoder}
- code: commit {commit}
- machine: {machine}; {runs} runs, {hours:.1f} hours of training and evaluation
- date: {date}"""

CLEAR = 1.0  # point of mIoU in the paper from which on one line counts as better than another


@dataclass(frozen=True)
class Line:
    """A row with what was measured: for each seed, shares of one."""

    row: Row
    iou: list[float]
    recall: list[float]
    occluded: list[float]
    strays: list[float]

    @property
    def cells(self) -> list[str]:
        """Of the table."""
        paper = "–"
        if self.row.paper is not None:
            paper = " / ".join("–" if value is None else f"{value:g}" for value in self.row.paper)
        ours = [_spread(values) for values in (self.iou, self.recall, self.occluded, self.strays)]
        return [self.row.label, paper, *ours]


def document(results: Results, scale: Scale, command: str) -> str:
    """Markdown of the tables whose runs are all finished; the others are named as missing."""
    finished = {run: result for run in runs_of(TABLES, scale) if (result := results.read(run)) is not None}
    parts = [_head(list(finished.values()), scale, command)]
    for table in TABLES:
        lines = _lines(table, scale, finished)
        parts.append(_section(table, lines) if lines else f"## {table.title}\n\nNot all runs are finished.")
    return "\n\n".join(parts) + "\n"


def _head(results: list[dict[str, Any]], scale: Scale, command: str) -> str:
    def all_of(name: str) -> str:
        return ", ".join(sorted({str(result[name]) for result in results})) or "nothing yet"

    hours = sum(r["seconds per step"] * scale.steps + r["seconds of evaluation"] for r in results) / 3600
    return HEAD.format(
        command=command,
        scale=scale,
        encoder=all_of("encoder"),
        commit=all_of("commit"),
        machine=all_of("machine"),
        date=all_of("date"),
        runs=len(results),
        hours=hours,
    )


def _lines(table: Table, scale: Scale, finished: dict[Run, dict[str, Any]]) -> list[Line]:
    """All lines, or none where a run is missing."""
    by_key = {(run.seed, run.variant): result for run, result in finished.items()}
    lines = []
    for row in table.rows:
        found = [by_key.get((seed, row.variant)) for seed in table.seeds]
        if None in found:
            return []
        figures = [result["figures"][repr(row.evaluation)] for result in found if result]
        columns = (
            [f[name] for f in figures if f[name] is not None] for name in ("IoU", "recall", "IoU, occluded", "strays")
        )
        lines.append(Line(row, *columns))
    return lines


def _section(table: Table, lines: list[Line]) -> str:
    head = ["", "paper: mIoU / mAcc", "mIoU", "found", "occluded", "strays"]
    seeds = f"Seeds {', '.join(map(str, table.seeds))}." if len(table.seeds) > 1 else "One seed."
    return "\n".join(
        [
            f"## {table.title}",
            "",
            f"{table.reading} {seeds}",
            "",
            f"| {' | '.join(head)} |",
            f"|{'---|' * len(head)}",
            *(f"| {' | '.join(line.cells)} |" for line in lines),
            *_order(lines),
            *(_margins(lines) if len(table.seeds) > 1 else []),
        ]
    )


def _order(lines: list[Line]) -> list[str]:
    """What the paper's order says of each pair in a group, and whether it is so here."""
    pairs = [
        (better, worse)
        for better, worse in permutations(lines, 2)
        if better.row.group == worse.row.group
        and better.row.paper
        and worse.row.paper
        and better.row.paper[0] - worse.row.paper[0] >= CLEAR
    ]
    contradicted = [(better, worse) for better, worse in pairs if np.mean(better.iou) <= np.mean(worse.iou)]
    if not pairs:
        return []
    where = f"{len(pairs)} pairs that lie at least {CLEAR:g} point apart there"
    if not contradicted:
        return ["", f"The paper's order holds in all {where}."]
    return [
        "",
        f"**The paper's order is not reproduced in {len(contradicted)} of the {where}:**",
        "",
        *(_margin(better, worse) for better, worse in contradicted),
    ]


def _margins(lines: list[Line]) -> list[str]:
    """By how much the line that the paper has first (or names first) leads its group, seed by seed."""
    result = []
    for group in dict.fromkeys(line.row.group for line in lines):
        first, *others = sorted(
            (line for line in lines if line.row.group == group), key=lambda line: -(line.row.paper or (0.0,))[0]
        )
        result += [_margin(first, other) for other in others]
    return ["", "Margins in mIoU (least and largest over the seeds), and on occluded objects:", "", *result]


def _margin(one: Line, other: Line) -> str:
    paper = "" if not one.row.paper or not other.row.paper else f"; paper {one.row.paper[0] - other.row.paper[0]:+.1f}"
    here, occluded = (
        [100 * (a - b) for a, b in zip(ours, theirs, strict=True)]
        for ours, theirs in ((one.iou, other.iou), (one.occluded, other.occluded))
    )
    return f"- *{one.row.label}* over *{other.row.label}*: {_range(here)}; occluded {_range(occluded)}{paper}"


def _range(values: list[float]) -> str:
    if not values:
        return "–"
    mean = f"{np.mean(values):+.1f}"
    return f"{mean} ({min(values):+.1f} to {max(values):+.1f})" if len(values) > 1 else mean


def _spread(values: list[float]) -> str:
    if not values:
        return "–"
    mean = f"{100 * np.mean(values):.1f}"
    return f"{mean} ± {100 * np.std(values, ddof=1):.1f}" if len(values) > 1 else mean
