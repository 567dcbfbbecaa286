"""A method is corrected click by click, in both ways of asking, and the tables say what came of it."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvsam.evaluation.benchmarks.corrections import Corrections, Feedback, corrections
from mvsam.evaluation.benchmarks.corrective_clicks import next_click
from mvsam.evaluation.benchmarks.gathering import gathered, tables_of
from mvsam.evaluation.benchmarks.harness import Order, Part, evaluated, run
from mvsam.evaluation.benchmarks.layouts import Run, corrective
from mvsam.evaluation.benchmarks.results import ObjectResult, Results, SceneResult
from mvsam.evaluation.benchmarks.scenes import Click
from mvsam.evaluation.benchmarks.scoring import Averaging
from tests.unit.evaluation.benchmarks.made import SIZE, Bright, MadeScenes, square
from tests.unit.evaluation.benchmarks.test_harness import SETTINGS

VIEWS, COUNT = 4, 5
EVERYWHERE = np.ones(SIZE, bool)


class Dabs(Bright):
    """Marks what is within two pixels of a positive click, in that view, and not so near a negative one.

    A former answer costs it the upper half of each picture.
    """

    name = "Dabs"

    def __init__(self) -> None:
        super().__init__()
        self.formers: list[object] = []

    def masks(self, clicks: Sequence[Click]) -> list[np.ndarray]:
        return self.refined(clicks, None)[0]

    def refined(self, clicks: Sequence[Click], former: object) -> tuple[list[np.ndarray], object]:
        self.formers.append(former)
        masks = [np.zeros(SIZE, bool) for _ in self.pictures]
        for click in clicks:
            masks[click.view][
                max(0, int(click.y) - 2) : int(click.y) + 3, max(0, int(click.x) - 2) : int(click.x) + 3
            ] = click.positive
        if former is not None:
            for mask in masks:
                mask[: SIZE[0] // 2] = False
        return masks, len(clicks)


def corrected(method: Bright | None = None, order: Order = Order.VIDEO) -> dict[str, Corrections]:
    scene = MadeScenes().load("scene 0")
    result = evaluated(scene, method or Dabs(), None, order, "Made", COUNT)
    return dict(result.objects["square"].corrections)


def iou(found: np.ndarray, truth: np.ndarray) -> float:
    return (found & truth).sum() / (found | truth).sum()


@pytest.mark.parametrize("feedback", list(Feedback))
def test_each_click_is_placed_by_the_answer_to_those_before(feedback):
    course = corrected()[feedback]
    assert course.clicked_views == (0, 2), "those that the data set's positive clicks are in"
    assert len(course.clicks) == len(course.ious) == COUNT
    method, former = Dabs(), None
    method.prepare([photograph.read() for photograph in MadeScenes().load("scene 0").photographs], None)
    found = {view: np.zeros(SIZE, bool) for view in course.clicked_views}
    for index, click in enumerate(course.clicks):
        before = course.clicks[:index]
        truth = {view: square(view) for view in found}
        assert next_click(found, truth, dict.fromkeys(found, EVERYWHERE), before) == click
        masks, answer = method.refined(course.clicks[: index + 1], former)
        assert course.ious[index] == {view: iou(masks[view], square(view)) for view in range(VIEWS)}
        found = {view: masks[view] for view in found}
        former = answer if feedback is Feedback.PREVIOUS else None


def test_the_last_answer_is_fed_back_in_one_of_the_ways_only():
    method = Dabs()
    found = corrected(method)
    own, alone, refined = method.formers[:1], method.formers[1 : COUNT + 1], method.formers[COUNT + 1 :]
    assert own == [None] and alone == [None] * COUNT and refined == [None, 1, 2, 3, 4]
    means = {way: each.mean_ious(COUNT, are_clicked_counted=True) for way, each in found.items()}
    assert means[Feedback.NOTHING][0] == means[Feedback.PREVIOUS][0]
    assert means[Feedback.NOTHING][-1] > means[Feedback.PREVIOUS][-1]


def test_a_method_that_cannot_be_given_its_answer_is_corrected_without():
    assert list(corrected(Bright(18))) == [Feedback.NOTHING]


def test_the_order_of_the_photographs_changes_nothing():
    assert corrected(order=Order.SHUFFLED) == corrected()


def test_where_no_error_is_left_clicking_ends_and_the_iou_stays():
    course = corrected(Bright())[Feedback.NOTHING]
    assert len(course.clicks) == 1
    assert course.mean_ious(3, are_clicked_counted=False) == [1, 1, 1]


def test_clicks_are_where_geometry_is():
    scene = MadeScenes().load("scene 0")
    method = Dabs().prepare([photograph.read() for photograph in scene.photographs], None)
    valid = np.ones((VIEWS, SIZE[0] // 2, SIZE[1] // 2), bool)
    valid[:, :, 8:] = False  # the right two thirds, with all of the square but its left edge in view 0
    for each in corrections(method, scene.targets[0], [SIZE] * VIEWS, valid, COUNT).values():
        assert each.clicks and all(click.x < 16 for click in each.clicks)
    assert not corrections(method, scene.targets[0], [SIZE] * VIEWS, np.zeros_like(valid), COUNT)


def test_an_object_without_a_mask_where_its_clicks_are_is_left_out():
    scene = MadeScenes().load("scene 0")
    method = Dabs().prepare([photograph.read() for photograph in scene.photographs], None)
    blind = replace(scene.targets[0], truth={1: lambda: square(1)}, scored=(1,))
    assert corrections(method, blind, [SIZE] * VIEWS, None, COUNT) == {}


def finished(folder: Path) -> Results:
    results = Results(folder / "made" / "bright", SETTINGS | {"method": "Dabs", "corrective_clicks": COUNT})
    results.open()
    run(MadeScenes(), Dabs(), None, Order.VIDEO, results, Part(), COUNT)
    return results


def test_results_are_read_as_they_were_written(tmp_path):
    expected = evaluated(MadeScenes().load("scene 0"), Dabs(), None, Order.VIDEO, "Made", COUNT)
    assert finished(tmp_path).read("scene 0") == expected


def test_the_table_has_both_ways_and_views_without_clicks(tmp_path):
    finished(tmp_path)
    comparison, table = tables_of(gathered(tmp_path, ["bright"], {}), Averaging.MACRO)
    assert comparison.title == "Made" and table.title == "Made: IoU after corrective clicks"
    assert list(table.columns)[1:] == ["1", "2", "3", "4", "5"]
    found = corrected()
    for row, (way, counted) in zip(
        table.rows, [(way, counted) for way in Feedback for counted in (True, False)], strict=True
    ):
        assert row.name == f"Dabs, none, {way}: {'all views' if counted else 'views without clicks'}"
        expected = found[way].mean_ious(COUNT, are_clicked_counted=counted)
        assert [cell.value for cell in row.cells] == pytest.approx([100 * each for each in expected])
    assert table.rows[0].cells[-1].value > 0 == table.rows[1].cells[-1].value
    assert "3 objects" in table.markdown()


def course(*ious: dict[int, float]) -> Corrections:
    return Corrections((Click(0, 1, 1),) * len(ious), (0,), ious)


def test_objects_count_in_their_scene_and_scenes_alike():
    one, two, seen_once = course({0: 1.0, 1: 0.5}), course({0: 1.0, 1: 0.1}, {0: 1.0, 1: 0.3}), course({0: 0.6})

    def result(*courses: Corrections) -> SceneResult:
        each = [ObjectResult((), (), (), None, {Feedback.NOTHING: course}) for course in courses]
        return SceneResult({str(index): found for index, found in enumerate(each)})

    failed = SceneResult({}, "no")
    scenes = {"a": result(one), "b": result(two, seen_once), "c": failed}
    everywhere, without = corrective("Made", [Run("Made", "m", "none", "video", "", scenes, 2)]).rows
    assert [cell.value for cell in everywhere.cells] == pytest.approx([66.25, 68.75])
    assert [cell.value for cell in without.cells] == pytest.approx([30, 40]), "two views of one object each"
    assert not math.isnan(without.cells[0].value)
