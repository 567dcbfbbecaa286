import pytest

from mvsam.pipeline.limits import Limits


def test_parameters_change_only_the_limits_they_name():
    limits = Limits.from_parameters({"max_views": "7", "grid_side": "64"})
    assert limits == Limits(max_views=7)


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", ""])
def test_a_limit_that_is_no_positive_whole_number_is_refused_by_name(value):
    with pytest.raises(ValueError, match="max_views"):
        Limits.from_parameters({"max_views": value})


def test_an_aspect_need_not_be_whole():
    assert Limits.from_parameters({"max_aspect": "1.5"}) == Limits(max_aspect=1.5)
    with pytest.raises(ValueError, match="max_aspect"):
        Limits.from_parameters({"max_aspect": "wide"})
