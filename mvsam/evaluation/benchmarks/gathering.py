"""Results of many runs under one folder, as tables.

<output>/<data set>/<method>@<geometry>[-shuffled]/run.json, <scene>.json
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mvsam.evaluation.benchmarks.layouts import Run, comparison, corrective, paper_tables
from mvsam.evaluation.benchmarks.results import SETTINGS, Results
from mvsam.evaluation.benchmarks.scoring import Averaging
from mvsam.evaluation.benchmarks.tables import Table
from mvsam.runtime.artifacts import write_text


def run_folder(output: Path, settings: Mapping[str, Any]) -> Path:
    """Where the results of a run are."""
    order = "" if settings["order"] == "video" else f"-{settings['order']}"
    return output / _slug(settings["dataset"]) / f"{_slug(settings['method'])}@{_slug(settings['geometry'])}{order}"


def gathered(output: Path, methods: Sequence[str], scenes: Mapping[str, Sequence[str]]) -> list[Run]:
    """All runs under a folder.

    Args:
        output: the folder.
        methods: their keys, in the order of a table's rows.
        scenes: by data set, those that count, in their order; other data sets' scenes count all, by name.
    """
    runs = []
    found = {path: json.loads(path.read_text()) for path in sorted(output.glob(f"*/*/{SETTINGS}"))}
    for path, settings in sorted(found.items(), key=lambda item: methods.index(item[1]["key"])):
        results = Results(path.parent, settings)
        there = sorted(json.loads(each.read_text())["scene"] for each in path.parent.glob("*.json") if each != path)
        chosen = results.read_all(scenes.get(settings["dataset"], there))
        if chosen:
            names = ("dataset", "method", "geometry", "order", "paper_name")
            known = [settings[name] for name in names]
            runs.append(Run(*known, scenes=chosen, corrective_clicks=settings.get("corrective_clicks", 0)))
    return runs


def tables_of(runs: Sequence[Run], averaging: Averaging) -> list[Table]:
    """For every data set a comparison and IoU after corrective clicks, then the paper's tables with cells of ours."""
    tables = []
    for dataset in dict.fromkeys(run.dataset for run in runs):
        own = [run for run in runs if run.dataset == dataset]
        tables.append(comparison(dataset, own, averaging))
        corrected = [run for run in own if run.corrective_clicks]
        tables += [corrective(dataset, corrected)] if corrected else []
    return [*tables, *paper_tables(runs)]


def write_tables(output: Path, tables: Sequence[Table]) -> None:
    """tables.md and tables.tex."""
    write_text(output / "tables.md", "\n".join(table.markdown() for table in tables))
    write_text(output / "tables.tex", "\n".join(table.latex() for table in tables))


def _slug(text: str) -> str:
    """For a file's name."""
    plain = text.lower().replace("π³", "pi3")
    return re.sub(r"[^a-z0-9+]+", "-", plain).strip("-")
