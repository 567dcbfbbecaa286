"""Runs are named once, kept when finished, resumed when killed, and never mistaken for others."""

from dataclasses import replace
from pathlib import Path

import pytest

from mvsam.evaluation.ablations import training
from mvsam.evaluation.ablations.document import document
from mvsam.evaluation.ablations.queue import Results, Run, finish, runs_of
from mvsam.evaluation.ablations.tables import BASELINE, SINGLE_VIEWS, TABLES, Table
from mvsam.evaluation.ablations.task import AblatedDecoder
from mvsam.evaluation.ablations.variants import AS_TRAINED, SCALES
from mvsam.training.loop import Trainer
from tests.unit.evaluation.ablations.material import material

# Third parties' own deprecations, on import and in TensorBoard's writer.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
SCALE = SCALES["taste"]
RUN = Run(SINGLE_VIEWS, 0, SCALE, (AS_TRAINED,))


def table(key: str) -> Table:
    return next(table for table in TABLES if table.key == key)


def test_tables_share_runs_and_first_seeds_come_first() -> None:
    runs = runs_of(TABLES, SCALE)
    assert len({(run.variant, run.seed) for run in runs}) == len(runs)
    assert len({(run.variant.name, run.seed) for run in runs}) == len(runs), "a name is one variant's"
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)
    for one in TABLES:
        for row in one.rows:
            for seed in one.seeds:
                (run,) = [run for run in runs if run.variant == row.variant and run.seed == seed]
                assert row.evaluation in run.evaluations


def test_a_table_alone_has_the_same_runs_as_among_all() -> None:
    assert set(runs_of([table("10")], SCALE)) < set(runs_of(TABLES, SCALE))


def test_everything_that_matters_is_in_the_name_of_a_result() -> None:
    results = Results(Path("out"), encoder="a")
    others = [
        results.path(replace(RUN, seed=1)),
        results.path(replace(RUN, scale=replace(SCALE, steps=9))),
        results.path(replace(RUN, variant=BASELINE)),
        Results(Path("out"), encoder="b").path(RUN),
    ]
    assert len({results.path(RUN), *others}) == 5


def test_finished_runs_are_kept_and_killed_ones_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, scenes = Results(tmp_path, encoder="a"), material()
    start = AblatedDecoder(RUN.variant).state_dict()

    class Killed(Trainer):
        def run(self, until: int | None = None) -> float:
            super().run(until=2)
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training, "Trainer", Killed)
        with pytest.raises(KeyboardInterrupt):
            finish(RUN, results, scenes, start, "commit")
    assert results.read(RUN) is None

    begun = []

    class Watched(Trainer):
        def run(self, until: int | None = None) -> float:
            begun.append(self.step)
            return super().run(until)

    monkeypatch.setattr(training, "Trainer", Watched)
    finish(RUN, results, scenes, start, "commit")
    finish(RUN, results, scenes, start, "commit")
    assert begun == [2], "it went on at the second step, and only once"
    result = results.read(RUN)
    assert result and result["encoder"] == "a" and result["commit"] == "commit"
    assert 0 <= result["figures"][repr(AS_TRAINED)]["IoU"] <= 1
    assert not any((tmp_path / "runs").iterdir()), "checkpoints of finished runs are not kept"
    assert "Not all runs are finished" in document(results, SCALE, "command")
