"""`mvsam evaluate`, the entry point of the benchmarks: as `python -m mvsam.evaluation.benchmarks`, with `--json`."""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mvsam.evaluation.benchmarks.__main__ import main as evaluate
from mvsam.evaluation.benchmarks.catalogue import METHODS
from mvsam.evaluation.benchmarks.gathering import gathered


def main(arguments: Sequence[str]) -> int:
    """Evaluates; with --json the mean figures of every run under --output follow on standard output."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--json", action="store_true")
    if {"-h", "--help"} & {*arguments}:
        print("mvsam evaluate takes --json, which prints all runs' mean figures, besides:")
    parser.add_argument("--output", type=Path, default=Path("out/benchmarks"))
    chosen, rest = parser.parse_known_args(arguments)
    code = evaluate([*rest, "--output", str(chosen.output)])
    if chosen.json and code == 0:
        print(json.dumps(figures(chosen.output), indent=2))
    return code


def figures(output: Path) -> list[dict[str, Any]]:
    """Of every run under a folder: what it was and its mean scores, shares of 1.

    Args:
        output: the folder of the benchmarks.
    """
    return [
        {
            "dataset": run.dataset,
            "method": run.method,
            "geometry": run.geometry,
            "order": run.order,
            "scenes": len(run.scenes),
            "failed": sum(scene.error is not None for scene in run.scenes.values()),
            "score": {name: None if math.isnan(value) else value for name, value in asdict(run.score()).items()},
        }
        for run in gathered(output, list(METHODS), {})
    ]
