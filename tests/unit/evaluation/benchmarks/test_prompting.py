import numpy as np
import pytest

from mvsam.evaluation.benchmarks.prompting import clicks_in, clicks_over_views, dice
from mvsam.evaluation.benchmarks.scenes import DatasetError


def half(size: tuple[int, int] = (20, 30)) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[:, : size[1] // 2] = True
    return mask


def under(click, mask: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether a click is on a mask that covers a photograph of another size."""
    row = int((click.y + 0.5) / size[0] * mask.shape[0])
    column = int((click.x + 0.5) / size[1] * mask.shape[1])
    return bool(mask[row, column])


@pytest.mark.parametrize("size", [(20, 30), (81, 117), (7, 11)])
def test_clicks_lie_in_their_region_at_any_size_of_the_photograph(size):
    clicks = clicks_in(3, half(), 50, size, dice("a"), positive=True)
    assert len(clicks) == 50
    assert all(under(click, half(), size) and click.view == 3 and click.positive for click in clicks)


def test_each_pixel_is_drawn_once_while_there_are_enough():
    clicks = clicks_in(0, half((4, 4)), 8, (4, 4), dice("a"), positive=True)
    assert len({(click.x, click.y) for click in clicks}) == 8
    assert len(clicks_in(0, half((4, 4)), 9, (4, 4), dice("a"), positive=True)) == 9


def test_the_same_names_give_the_same_clicks_and_others_other_ones():
    masks, sizes = {view: half() for view in range(6)}, dict.fromkeys(range(6), (20, 30))

    def drawn(*names: str, seed: int = 0):
        return clicks_over_views(masks, sizes, 10, 2, dice(*names, seed=seed))

    assert drawn("set", "a") == drawn("set", "a")
    assert len({drawn("set", "a"), drawn("set", "b"), drawn("set", "a", seed=1)}) == 3


def test_positive_clicks_are_on_the_object_and_negative_ones_beside_it_over_several_views():
    masks = {0: half(), 2: np.zeros((20, 30), bool), 5: half()}
    clicks = clicks_over_views(masks, dict.fromkeys(masks, (40, 60)), 10, 4, dice("x"))
    assert [click.positive for click in clicks] == [True] * 10 + [False] * 4
    assert all(under(click, masks[click.view], (40, 60)) == click.positive for click in clicks)
    assert {click.view for click in clicks if click.positive} == {0, 5}


def test_negative_clicks_stay_where_they_may_be():
    masks, beside = {0: half()}, {0: np.zeros((20, 30), bool)}
    beside[0][0, 29] = True
    clicks = clicks_over_views(masks, {0: (20, 30)}, 1, 3, dice("x"), beside)
    assert {(click.x, click.y) for click in clicks if not click.positive} == {(29, 0)}


def test_an_object_that_is_nowhere_is_named_as_such():
    with pytest.raises(DatasetError, match="no view shows the object"):
        clicks_over_views({0: np.zeros((4, 4), bool)}, {0: (4, 4)}, 1, 0, dice("x"))
    with pytest.raises(DatasetError, match="fills every view"):
        clicks_over_views({0: np.ones((4, 4), bool)}, {0: (4, 4)}, 1, 1, dice("x"))
