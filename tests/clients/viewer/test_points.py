"""Every drawn point knows its pixel, is tinted by the masks of its own photograph, and hides when it is unsure."""

import numpy as np
import pytest

from mvsam_client import Click, ServerError
from mvsam_client.pictures import PALETTE, POSITIVE
from mvsam_client.viewer.exhibit import Exhibit
from mvsam_client.viewer.overlay import drawn
from mvsam_client.viewer.picking import Pixel
from mvsam_client.viewer.points import Points, certainties, stride_for, usable
from tests.clients.viewer import toy


def test_a_point_and_its_pixel_are_each_others(exhibit: Exhibit) -> None:
    for point in range(0, len(exhibit.positions), 997):
        pixel = exhibit.pixel_of(point)
        np.testing.assert_allclose(exhibit.position_of(pixel), exhibit.positions[point], atol=1e-6)


def test_padding_and_broken_points_are_not_drawn() -> None:
    maps, confidence = np.zeros((2, 6, 8, 3), np.float32), np.ones((2, 6, 8), np.float32)
    maps[0, 2, 3], confidence[0, 4, 4] = np.inf, np.nan
    rects = np.array([[0, 0, 8, 6], [2, 0, 4, 6]], np.float32)
    shown = usable(maps, confidence, rects)
    assert not shown[0, 2, 3] and not shown[0, 4, 4] and shown[0].sum() == 46
    assert shown[1].sum() == 24 and shown[1, :, 2:6].all()


def test_pixels_of_letterboxed_photographs_are_those_of_the_photograph() -> None:
    chosen = np.zeros((1, 6, 8), bool)
    chosen[0, 0, 2] = chosen[0, 5, 5] = True
    points = Points.of(chosen, np.array([[2, 0, 4, 6]], np.float32))
    assert points.sampled(0, np.arange(24).reshape(6, 4)).tolist() == [0, 23]


def test_a_larger_stride_leaves_no_more_points_than_are_allowed() -> None:
    chosen = np.ones((3, 100, 120), bool)
    rects = np.array([[0, 0, 120, 100]] * 3, np.float32)
    for most in (100, 1000, 5000, 40_000):
        assert 0.4 * min(most, 36_000) < len(Points.of(chosen, rects, stride_for(36_000, most)).views) <= 1.15 * most


def test_objects_are_tinted_where_their_masks_are_and_nowhere_else(exhibit: Exhibit) -> None:
    ball = toy.masks()
    tinted = exhibit.points.tinted(exhibit.colours, [{2: ball[view]} if view != 1 else {} for view in range(toy.VIEWS)])
    changed = (tinted != exhibit.colours).any(axis=1)
    is_red = exhibit.colours[:, 1] < 100
    np.testing.assert_array_equal(changed, is_red & (exhibit.points.views != 1))
    expected = np.array([200, 40, 40]) // 2 + np.array(PALETTE[1]) // 2
    assert np.abs(tinted[changed].astype(int) - expected).max() <= 1


def test_the_slider_hides_its_share_of_the_least_sure_points(exhibit: Exhibit) -> None:
    confidence = toy.extra()["confidence"]
    for share in (0.0, 0.15, 0.5, 0.95):
        shown = exhibit.is_surer(exhibit.certainty, share)
        assert np.mean(~shown) == pytest.approx(share, abs=0.01)
        if share:
            assert confidence[shown].min() >= confidence[~shown].max()


def test_the_surest_points_are_shown_whatever_the_slider_says(exhibit: Exhibit) -> None:
    flat = certainties(np.ones((1, 4, 4), np.float32), np.ones((1, 4, 4), bool))
    assert (flat == 1).all()
    tied = np.concatenate([np.zeros(10), np.ones(30)]).reshape(1, 4, 10)
    certainty = certainties(tied, np.ones((1, 4, 10), bool))
    assert (certainty[tied == 1] == 0.25).all() and (certainty[tied == 0] == 0).all()
    assert exhibit.is_surer(exhibit.certainty, 1.0).any()


def test_photographs_show_their_masks_and_clicks_at_any_size() -> None:
    mask = np.zeros((100, 200), bool)
    mask[20:60, 40:160] = True
    picture = np.full((50, 100, 3), 100, np.uint8)
    shown = drawn(picture, (100, 200), {1: mask}, [Click(0, 32, 80, object=1)])
    changed = (shown != picture).any(axis=-1)
    assert changed[10:30, 20:80].all() and not changed[:9].any() and not changed[:, 82:].any()
    # Beside the white plus in its middle.
    assert changed[37, 13] and tuple(shown[37, 13]) == POSITIVE
    assert (picture == 100).all()


def test_an_answer_without_what_the_page_needs_is_the_servers_fault() -> None:
    extra = toy.extra()
    del extra["camera_poses"]
    with pytest.raises(ServerError, match="camera_poses"):
        Exhibit.of(toy.photographs(), extra)
    with pytest.raises(ServerError, match="no point"):
        Exhibit.of(toy.photographs(), toy.extra() | {"points": np.full((6, 42, 56, 3), np.nan)})


def test_large_photographs_are_reduced_and_clicks_still_mean_their_own_pixels() -> None:
    exhibit = Exhibit.of(toy.photographs((525, 700)), toy.extra())
    assert max(exhibit.pictures[0].shape) == 640 and exhibit.wall.photographs[0].size == (525, 700)
    np.testing.assert_allclose(
        exhibit.position_of(Pixel(2, 350, 262)),
        exhibit.placement.points(toy.extra()["points"][2, 21, 28]),
        atol=1e-6,
    )
