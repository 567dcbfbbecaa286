import json
from pathlib import Path

import numpy as np
import pytest

from mvsam.evaluation.benchmarks.gathering import gathered, tables_of, write_tables
from mvsam.evaluation.benchmarks.harness import Order, Part, evaluated, from_data, run
from mvsam.evaluation.benchmarks.results import Results, RunError, decoded
from mvsam.evaluation.benchmarks.scoring import Averaging
from tests.unit.evaluation.benchmarks.made import Bright, MadeScenes, square

SETTINGS = {
    "dataset": "Made",
    "key": "bright",
    "method": "Bright",
    "paper_name": "",
    "geometry": "none",
    "order": "video",
    "seed": 0,
}


def results_in(folder: Path, **changed) -> Results:
    results = Results(folder / "made" / "bright", SETTINGS | changed)
    results.open()
    return results


def finish(folder: Path, dataset: MadeScenes, method: Bright, part: Part | None = None) -> Results:
    results = results_in(folder)
    run(dataset, method, None, Order.VIDEO, results, part or Part())
    return results


def written(folder: Path) -> dict[str, bytes]:
    """All files of a run and its tables."""
    runs = gathered(folder, ["bright"], {})
    write_tables(folder, tables_of(runs, Averaging.MACRO))
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_masks_and_scores_are_of_the_right_views():
    result = evaluated(MadeScenes().load("scene 0"), Bright(), None, Order.VIDEO, "Made").objects["square"]
    assert [view.view for view in result.views] == [1, 2, 3]
    assert result.score().iou == 1
    assert all((decoded(mask) == square(view)).all() for view, mask in enumerate(result.masks))


def test_shuffled_photographs_give_the_same_answers_to_the_same_questions():
    straight, shuffled = Bright(), Bright()
    scene = MadeScenes().load("scene 0")
    a = evaluated(scene, straight, None, Order.VIDEO, "Made")
    b = evaluated(scene, shuffled, None, Order.SHUFFLED, "Made")
    ((order, clicks),), ((other_order, other_clicks),) = straight.given, shuffled.given
    assert order == [0, 1, 2, 3] != other_order
    assert clicks == other_clicks
    assert a == b


def test_a_run_killed_at_any_scene_resumes_and_leaves_the_same_bytes(tmp_path):
    finish(tmp_path / "whole", MadeScenes(), Bright(18))
    expected = written(tmp_path / "whole")
    for killed_at in range(3):

        class Killed(MadeScenes):
            def load(self, scene, last=killed_at):
                if scene == f"scene {last}":
                    raise KeyboardInterrupt
                return super().load(scene)

        folder = tmp_path / str(killed_at)
        with pytest.raises(KeyboardInterrupt):
            finish(folder, Killed(), Bright(18))
        resumed = MadeScenes()
        finish(folder, resumed, Bright(18))
        assert resumed.loaded == [f"scene {index}" for index in range(killed_at, 3)]
        assert written(folder) == expected


def test_parts_of_several_processes_make_one_whole(tmp_path):
    finish(tmp_path / "whole", MadeScenes(5), Bright(18))
    for index in range(2):
        finish(tmp_path / "parts", MadeScenes(5), Bright(18), Part(index, 2))
    assert written(tmp_path / "parts") == written(tmp_path / "whole")


def test_a_scene_that_fails_is_recorded_tried_again_and_harms_no_other(tmp_path):
    results = finish(tmp_path, MadeScenes(broken=["scene 1"]), Bright())
    assert results.read("scene 1").error == "DatasetError: scene 1 is broken"
    tables = tables_of(gathered(tmp_path, ["bright"], {}), Averaging.MACRO)
    assert "1 of 3 scenes failed and are left out: scene 1" in tables[0].markdown()
    assert "| 100.0 |" in tables[0].markdown()
    again = MadeScenes()
    finish(tmp_path, again, Bright())
    assert again.loaded == ["scene 1"]
    assert results.read("scene 1").error is None


def test_what_was_prepared_is_let_go_even_if_an_answer_fails():
    method = Bright()
    method.masks = lambda clicks: (_ for _ in ()).throw(RuntimeError("no answer"))
    with pytest.raises(RuntimeError):
        evaluated(MadeScenes().load("scene 0"), method, None, Order.VIDEO, "Made")
    assert method.closed == 1


def test_results_of_other_settings_are_not_mixed(tmp_path):
    results_in(tmp_path)
    results_in(tmp_path)
    with pytest.raises(RunError, match="other seed, weights"):
        results_in(tmp_path, seed=1, weights="others")


def test_an_interrupted_write_leaves_no_result(tmp_path, monkeypatch):
    results = results_in(tmp_path)
    result = evaluated(MadeScenes().load("scene 0"), Bright(), None, Order.VIDEO, "Made")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        results.write("scene 0", result)
    assert not results.is_done("scene 0")


def test_results_are_read_as_they_were_written(tmp_path):
    results = results_in(tmp_path)
    result = evaluated(MadeScenes().load("scene 0"), Bright(18), None, Order.VIDEO, "Made")
    results.write("scene 0", result)
    assert results.read("scene 0") == result
    assert np.isfinite(json.loads(results.path("scene 0").read_text())["objects"]["square"]["views"][0]["boundary_f"])


def test_data_without_geometry_says_so():
    with pytest.raises(ValueError, match="comes without geometry"):
        from_data(MadeScenes().load("scene 0"), [])
