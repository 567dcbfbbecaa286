import numpy as np
import pytest

from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.request import Geometry
from mvsam.pipeline.statistics import check_statistics, confidence_threshold, scene_statistics


@pytest.mark.parametrize("count", [2, 6, 7, 20, 100, 101, 340, 12_345])
def test_the_threshold_is_the_order_statistic_at_fifteen_percent(rng, count):
    confidence = rng.random(count, dtype=np.float32)
    threshold = confidence_threshold(confidence)
    assert threshold == np.sort(confidence)[int(np.ceil(round(0.15 * count, 6))) - 1]
    assert 100 * (confidence <= threshold).sum() >= 15 * count


def test_other_shares_are_order_statistics_too(rng):
    confidence = rng.random(200, dtype=np.float32)
    for percent in (0, 5, 30):
        assert (confidence <= confidence_threshold(confidence, percent)).sum() == 2 * percent


def test_no_point_is_low_where_all_confidences_are_equal():
    assert confidence_threshold(np.full(100, 0.5, np.float32)) < np.float32(0.5)


def test_sure_points_are_not_low_where_fewer_than_fifteen_percent_are_unsure():
    confidence = np.where(np.arange(100) < 5, 0, 1).astype(np.float32)
    assert (confidence <= confidence_threshold(confidence)).sum() == 5


def test_invalid_pixels_take_no_part(scene):
    geometry = scene(3, 14, 28, holes=0.4)
    points = geometry.points[geometry.valid].astype(np.float64)
    expected = [*points.mean(axis=0), *points.std(axis=0), confidence_threshold(geometry.confidence[geometry.valid])]
    np.testing.assert_allclose(scene_statistics(geometry), expected, rtol=1e-6, atol=1e-7)


def test_the_order_of_views_changes_no_bit(scene, rng):
    geometry = scene(6, 14, 28, holes=0.2)
    expected = scene_statistics(geometry)
    for _ in range(5):
        order = rng.permutation(6)
        shuffled = Geometry(geometry.points[order], geometry.confidence[order], geometry.valid[order])
        np.testing.assert_array_equal(scene_statistics(shuffled), expected)


def test_sums_survive_a_far_away_origin(scene):
    geometry = scene(2, 28, 28)
    far = Geometry(geometry.points + np.float32(4096), geometry.confidence, geometry.valid)
    np.testing.assert_allclose(scene_statistics(far)[3:6], scene_statistics(geometry)[3:6], rtol=1e-3)


def test_a_coordinate_that_never_changes_has_deviation_one(scene):
    geometry = scene(2, 14, 14)
    geometry.points[..., 1] = 3
    statistics = scene_statistics(geometry)
    assert statistics[1] == 3 and statistics[4] == 1


@pytest.mark.parametrize(
    "statistics", [np.zeros(6), [0, 0, 0, 1, 0, 1, 0.5], [0, 0, np.nan, 1, 1, 1, 0.5], [0, 0, 0, 1, 1, 1, np.nan]]
)
def test_statistics_that_cannot_be_used_are_refused(statistics):
    with pytest.raises(RequestError, match="SCENE_STATISTICS"):
        check_statistics(np.array(statistics, np.float32))
