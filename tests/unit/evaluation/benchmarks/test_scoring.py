import math
from dataclasses import replace

import numpy as np
import pytest

from mvsam.evaluation.benchmarks.scoring import (
    Averaging,
    boundary_f,
    mean_score,
    paired_interval,
    score_object,
    score_view,
)


def square(top: int, left: int, side: int = 10, size: tuple[int, int] = (40, 60)) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_figures_by_hand():
    score = score_object([score_view(0, square(0, 0), square(0, 5))])
    assert score.iou == pytest.approx(50 / 150)
    assert score.recall == pytest.approx(50 / 100)
    assert score.class_accuracy == pytest.approx((50 / 100 + (2400 - 150) / 2300) / 2)
    assert score.pixel_accuracy == pytest.approx((2400 - 100) / 2400)
    assert math.isnan(score.strays)


def test_pixel_accuracy_flatters_small_objects_and_class_accuracy_does_not():
    nothing = score_object([score_view(0, np.zeros((40, 60), bool), square(0, 0))])
    assert nothing.iou == nothing.recall == 0
    assert nothing.pixel_accuracy > 0.95
    assert nothing.class_accuracy == pytest.approx(0.5)


def test_views_without_the_object_have_no_iou_and_their_pixels_are_reported_apart():
    shown, empty = score_view(0, square(0, 0), square(0, 0)), np.zeros((40, 60), bool)
    good = score_object([shown, score_view(1, empty, empty)])
    bad = score_object([shown, score_view(1, square(0, 0), empty)])
    assert good.iou == bad.iou == 1
    assert good.strays == 0
    assert bad.strays == pytest.approx(100 / 2400)


def test_only_absent_views_have_no_figures():
    empty = np.zeros((4, 4), bool)
    assert math.isnan(score_object([score_view(0, empty, empty)]).iou)


def test_micro_averages_pixels_and_macro_views():
    views = [score_view(0, square(0, 0, 20), square(0, 0, 20)), score_view(1, square(0, 0, 5), square(20, 0, 5))]
    assert score_object(views).iou == pytest.approx(0.5)
    assert score_object(views, Averaging.MICRO).iou == pytest.approx(400 / 450)


def test_predictions_are_resized_to_the_truth_never_cropped():
    truth = square(10, 20, 20, (80, 120))
    assert score_object([score_view(0, square(5, 10, 10), truth)]).iou == 1


def test_boundary_f_forgives_a_pixel_and_sees_a_shift():
    truth = square(50, 50, 60, (200, 200))
    assert boundary_f(truth, truth) == 1
    assert boundary_f(square(51, 50, 60, (200, 200)), truth) == 1
    shifted = boundary_f(square(62, 50, 60, (200, 200)), truth)
    assert 0.2 < shifted < 0.8
    assert boundary_f(np.zeros_like(truth), truth) == 0
    assert boundary_f(np.zeros_like(truth), np.zeros_like(truth)) == 1


def test_means_leave_out_what_is_not_there():
    one = score_object([score_view(0, square(0, 0), square(0, 0))])
    none = replace(one, iou=float("nan"))
    assert mean_score([one, none]).iou == 1
    assert mean_score([one, none]).views == 2


def test_paired_intervals_see_what_means_hide():
    rng = np.random.default_rng(1)
    scenes = rng.uniform(0, 1, 40)
    always, by_luck = scenes + 0.02, rng.permutation(scenes) + 0.02
    mean, low, high = paired_interval(always, scenes)
    assert (mean, low, high) == pytest.approx((0.02, 0.02, 0.02))
    mean, low, high = paired_interval(by_luck, scenes)
    assert mean == pytest.approx(0.02) and low < 0 < high
    assert paired_interval(by_luck, scenes) == (mean, low, high)
    with pytest.raises(ValueError, match="need scenes"):
        paired_interval([], [])
