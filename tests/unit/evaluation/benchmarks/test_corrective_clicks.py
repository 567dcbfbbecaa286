"""The next click is in the middle of the largest error, and says what that pixel is."""

import numpy as np
import pytest

from mvsam.evaluation.benchmarks.corrective_clicks import next_click
from mvsam.evaluation.benchmarks.scenes import Click

SIZE = (20, 30)


def box(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[rows, columns] = True
    return mask


NOTHING, EVERYWHERE = np.zeros(SIZE, bool), np.ones(SIZE, bool)
OBJECT = box(slice(4, 11), slice(6, 15))


def click(found, truth, clickable=EVERYWHERE, made=()) -> Click | None:
    return next_click({0: found}, {0: truth}, {0: clickable}, made)


def test_the_first_click_is_the_middle_of_the_object():
    assert click(NOTHING, box(slice(4, 11), slice(6, 13))) == Click(0, 9, 7)
    assert click(NOTHING, OBJECT) == Click(0, 9, 7), "the first of those that are equally far from the border"


def test_what_was_missed_gets_a_positive_and_what_was_marked_wrongly_a_negative_click():
    assert click(box(slice(4, 11), slice(6, 8)), OBJECT) == Click(0, 11, 7)
    more = OBJECT | box(slice(4, 11), slice(20, 27))
    assert click(more, OBJECT) == Click(0, 23, 7, positive=False)


def test_the_largest_region_of_all_views_counts_not_all_errors_of_a_view():
    dots = OBJECT.copy()
    dots[::2, ::2] ^= True  # many small errors
    found, truth = {2: dots, 5: box(slice(4, 11), slice(6, 8))}, {2: OBJECT, 5: OBJECT}
    assert (found[2] ^ OBJECT).sum() > (found[5] ^ OBJECT).sum()
    everywhere = dict.fromkeys(found, EVERYWHERE)
    assert next_click(found, truth, everywhere) == Click(5, 11, 7)
    assert next_click(dict(reversed(found.items())), truth, everywhere) == Click(5, 11, 7)


def test_regions_hang_together_by_their_corners_too():
    diagonal = np.eye(*SIZE) > 0  # 20 pixels that touch at corners
    truth = diagonal | box(slice(2, 5), slice(22, 27))  # and 15 in one piece
    found = click(NOTHING, truth)
    assert found is not None and diagonal[int(found.y), int(found.x)]


def test_the_edge_of_the_photograph_is_a_border():
    assert click(NOTHING, box(slice(0, 5), slice(0, 5))) == Click(0, 2, 2)


def test_a_missed_and_a_wrong_region_side_by_side_are_two():
    found, truth = box(slice(4, 11), slice(15, 22)), OBJECT
    assert click(found, truth) == Click(0, 9, 7)


def test_clicks_are_where_they_can_be_and_never_twice_on_a_pixel():
    holes = EVERYWHERE & ~box(slice(7, 8), slice(0, 30))
    first = click(NOTHING, OBJECT, holes)
    assert first is not None and (first.y in (6, 8)) and first.positive
    second = click(NOTHING, OBJECT, holes, [first])
    assert second is not None and second != first and second.y in (6, 8)
    small = OBJECT | box(slice(15, 17), slice(20, 22))
    assert click(NOTHING, small, EVERYWHERE & ~OBJECT) == Click(0, 20, 15), "the next largest region"
    assert click(NOTHING, OBJECT, EVERYWHERE & ~OBJECT) is None


def test_a_mask_without_errors_needs_no_click():
    assert click(OBJECT, OBJECT) is None


@pytest.mark.parametrize("seed", range(20))
def test_every_click_is_on_an_error_as_far_from_its_border_as_any(seed):
    """Compared with a search over all pixels."""
    rng = np.random.default_rng(seed)
    found, truth = (rng.random((2, 6, 8)) < 0.6).repeat(2, axis=1).repeat(2, axis=2)
    made = click_in(found, truth)
    regions = [region for errors in (truth & ~found, found & ~truth) for region in regions_of(errors)]
    (own,) = [region for region in regions if (int(made.y), int(made.x)) in region]
    assert len(own) == max(map(len, regions))
    assert truth[int(made.y), int(made.x)] == made.positive
    outside = [(y, x) for y in range(-1, 13) for x in range(-1, 17) if (y, x) not in own]
    reach = {pixel: min(np.hypot(pixel[0] - y, pixel[1] - x) for y, x in outside) for pixel in own}
    assert reach[int(made.y), int(made.x)] == pytest.approx(max(reach.values()))


def click_in(found: np.ndarray, truth: np.ndarray) -> Click:
    made = next_click({0: found}, {0: truth}, {0: np.ones(found.shape, bool)})
    assert made is not None
    return made


def regions_of(errors: np.ndarray) -> list[set[tuple[int, int]]]:
    """By flooding, from every pixel that no region has yet."""
    left, regions = {(int(y), int(x)) for y, x in np.argwhere(errors)}, []
    while left:
        region, edge = set(), {min(left)}
        while edge:
            region |= edge
            around = {(y + dy, x + dx) for y, x in edge for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
            edge = (around & left) - region
        regions.append(region)
        left -= region
    return regions
