"""Baselines mark what they say they do, and are fitted to training scenes alone."""

import numpy as np
import pytest

from mvsam.evaluation.baselines import Baseline, MeanMask, best_level, fitted_baselines, ious_at, nearness, preference
from mvsam.evaluation.questions import Question, judge
from mvsam.synthetic.scene import Scene
from tests.unit.evaluation.made_scenes import PIXEL, tiled

LEFT, RIGHT = slice(10, 20), slice(40, 50)
ROWS = slice(20, 30)


def clicked(target: int, *clicks: tuple[int, int, bool]) -> Question:
    """A question with clicks (row, column, positive) in the first view."""
    rows, columns, positive = (np.array(part) for part in zip(*clicks, strict=True))
    return Question(target, np.zeros(len(clicks), int), rows, columns, positive.astype(bool))


@pytest.fixture
def two_tiles() -> tuple[Scene, Question]:
    scene = tiled([(ROWS, LEFT, 0.0), (ROWS, RIGHT, 0.0)])
    return scene, clicked(0, (25, 15, True), (25, 44, False))


def test_nearest_prompt_point_halves_the_floor(two_tiles: tuple[Scene, Question]) -> None:
    masks = Baseline(preference, 0.0).masks(*two_tiles)
    x = two_tiles[0].points[..., 0]
    middle = (x[0, 25, 15] + x[0, 25, 44]) / 2
    assert np.array_equal(masks, x <= middle)


def test_one_positive_click_marks_everything(two_tiles: tuple[Scene, Question]) -> None:
    assert Baseline(preference, 0.0).masks(two_tiles[0], clicked(0, (25, 15, True))).all()


def test_distance_threshold_is_a_ball_in_units_of_the_scene(two_tiles: tuple[Scene, Question]) -> None:
    scene, question = two_tiles
    spread = np.sqrt(scene.points.reshape(-1, 3).var(0).sum())
    masks = Baseline(nearness, -5.5 * PIXEL / spread).masks(scene, question)
    centre = scene.points[0, 25, 15]
    assert np.array_equal(masks, np.linalg.norm(scene.points - centre, axis=-1) <= 5.5 * PIXEL)
    larger = Scene(**{**vars(scene), "points": 7 * scene.points})
    assert np.array_equal(Baseline(nearness, -5.5 * PIXEL / spread).masks(larger, question), masks)


def test_level_is_the_one_that_fits_the_objects() -> None:
    """Discs would need the disc's radius; these squares of side 10 are met best by a ball of about half that."""
    scene = tiled([(ROWS, LEFT, 0.0)])
    question = clicked(0, (25, 15, True))
    spread = np.sqrt(scene.points.reshape(-1, 3).var(0).sum())
    radii = np.array([1, 3, 5.5, 9, 20]) * PIXEL / spread
    assert best_level(nearness, [(scene, question)], -radii) == -radii[2]


def test_mean_mask_of_equal_objects_is_perfect_wherever_they_are(two_tiles: tuple[Scene, Question]) -> None:
    """Four views a pixel grid apart: tiles of one size, clicked on at the same place, have one mask."""
    scene, _ = two_tiles
    mean = MeanMask.of([(scene, clicked(0, (25, 15, True)))])
    other = clicked(1, (25, 45, True))
    assert judge(scene, other, Baseline(mean, 0.5).masks(scene, other)).iou == 1


def test_scores_at_levels_are_those_of_the_judge(two_tiles: tuple[Scene, Question]) -> None:
    scene, question = two_tiles
    evidence = nearness(scene, question)
    levels = np.array([-0.2, -0.1, -0.05])
    expected = [judge(scene, question, evidence >= level).iou for level in levels]
    assert np.allclose(ious_at(levels, evidence, scene, question), expected)


def test_nothing_to_be_fitted_to() -> None:
    with pytest.raises(ValueError, match="at least one"):
        fitted_baselines([])
