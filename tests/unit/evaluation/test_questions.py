"""Questions are fair, and answers are judged where they count."""

import numpy as np
import pytest

from mvsam.evaluation.questions import VISIBLE, Prompting, ask, judge
from mvsam.synthetic.scene import Scene, Split, sample_scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    return sample_scene(3, Split.TEST, views=5, height=64, width=64)


@pytest.mark.parametrize("prompting", Prompting)
def test_clicks_are_right_and_in_few_views(scene: Scene, prompting: Prompting) -> None:
    for seed in range(20):
        question = ask(scene, prompting, np.random.default_rng(seed))
        assert question is not None
        on = scene.objects[question.views, question.rows, question.columns] == question.target
        assert np.array_equal(on, question.positive)
        assert (question.positive.sum(), (~question.positive).sum()) == prompting.value
        visible = scene.mask(question.target).mean((1, 2)) >= VISIBLE
        assert len(set(question.views)) <= 2 < visible.sum()


def test_exact_masks_are_perfect_and_empty_ones_worthless(scene: Scene) -> None:
    question = ask(scene, Prompting.TEN_AND_TWO, np.random.default_rng(0))
    assert question is not None
    exact = scene.mask(question.target)
    assert judge(scene, question, exact).iou == judge(scene, question, exact).prompted_iou == 1
    assert judge(scene, question, np.zeros_like(exact)).iou == 0


def test_prompted_views_do_not_count(scene: Scene) -> None:
    question = ask(scene, Prompting.TEN_AND_TWO, np.random.default_rng(0))
    assert question is not None
    masks = scene.mask(question.target).copy()
    masks[question.views] = False
    judged = judge(scene, question, masks)
    assert judged.iou == 1 and judged.prompted_iou == 0
