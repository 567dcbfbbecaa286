"""What a run says of its speed."""

import math

import pytest

from mvsam.training.pace import SA1B_IMAGES, Pace


def test_device_hours_count_every_device() -> None:
    pace = Pace(processes=8)
    for _ in range(10):
        pace.add(samples=32, seconds=0.5)
    assert pace.samples_per_second == 64
    assert pace.device_hours(64 * 3600) == pytest.approx(8)
    assert f"takes {8 * SA1B_IMAGES / 64 / 3600:,.0f} device-hours (an estimate" in pace.of_sa1b()


def test_before_the_first_step_nothing_is_known() -> None:
    assert math.isnan(Pace().device_hours(1))
