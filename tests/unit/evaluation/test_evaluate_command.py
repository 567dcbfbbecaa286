"""`mvsam evaluate`: the benchmarks behind the command of the client, and the figures for programs."""

import json
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mvsam.evaluation.evaluate_command import main
from mvsam_client import cli, doctor_command

PROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_json_holds_the_mean_figures_of_every_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--methods", "distance", "--geometry", "data", "--scenes", "1", "--output", str(tmp_path), "--json"]
    assert main(arguments) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert run["scenes"] == 1 and run["failed"] == 0 and run["dataset"] == "Synthetic"
    table = (tmp_path / "tables.md").read_text()
    assert 0 < run["score"]["iou"] < 1 and f"| {100 * run['score']['iou']:.1f} |" in table


def test_a_run_that_cannot_begin_prints_no_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dataset", "own", "--data", "nowhere", "--output", str(tmp_path), "--json"]) == 1
    assert not capsys.readouterr().out


@pytest.mark.parametrize(("group", "name"), [(cli.GROUP, "evaluate"), (doctor_command.GROUP, "serving")])
def test_the_distribution_offers_what_the_client_looks_for(group: str, name: str) -> None:
    offered = tomllib.loads(PROJECT.read_text())["project"]["entry-points"][group]
    assert EntryPoint(name, offered[name], group).load()
