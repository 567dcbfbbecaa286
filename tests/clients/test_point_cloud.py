"""The point cloud shows the photographs' own colours at the right points, the object tinted."""

import numpy as np
import pytest

from mvsam_client import cloud
from mvsam_client.pictures import PALETTE


def gradient(height, width):
    """A photograph whose colour tells the pixel."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.full_like(rows, 200)], axis=-1).astype(np.uint8)


def read_ply(content: bytes):
    header, body = content.split(b"end_header\n", 1)
    lines = header.decode().splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert [line.split()[2] for line in lines if line.startswith("property")] == ["x", "y", "z", "red", "green", "blue"]
    count = int(next(line for line in lines if line.startswith("element vertex")).split()[2])
    vertices = np.frombuffer(body, np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)]))
    assert len(vertices) == count
    return vertices["xyz"], vertices["rgb"]


def test_a_photograph_that_fills_the_frame_is_sampled_at_pixel_centres():
    inside, colours = cloud.view_colours(gradient(80, 120), [], np.array([0, 0, 60, 40], np.float32), 40, 60)
    assert inside.all()
    # A frame pixel covers 2x2 of the photograph; its centre is their common corner, which the lower right one owns.
    np.testing.assert_array_equal(colours, gradient(80, 120)[1::2, 1::2])


def test_padding_of_a_letterboxed_photograph_is_left_out():
    photograph = gradient(100, 40)
    inside, colours = cloud.view_colours(photograph, [], np.array([14, 0, 12, 30], np.float32), 30, 40)
    expected = np.zeros((30, 40), bool)
    expected[:, 14:26] = True
    np.testing.assert_array_equal(inside, expected)
    assert not colours[~inside].any()
    columns = colours[15, 14:26, 1]
    assert columns[0] == 1 and columns[-1] == 38 and (np.diff(columns.astype(int)) > 0).all()


def test_the_object_is_tinted_where_the_mask_is():
    photograph = np.full((20, 20, 3), 100, np.uint8)
    mask = np.zeros((20, 20), bool)
    mask[:10] = True
    _, colours = cloud.view_colours(photograph, [mask], np.array([0, 0, 10, 10], np.float32), 10, 10)
    assert (colours[:5] == [50 + channel // 2 for channel in PALETTE[0]]).all() and (colours[5:] == 100).all()


def test_the_least_sure_points_are_dropped_and_padding_does_not_count_among_them():
    confidence = np.linspace(0, 1, 200, dtype=np.float32).reshape(2, 10, 10)
    inside = np.ones((2, 10, 10), bool)
    inside[0] = False
    points = np.zeros((2, 10, 10, 3), np.float32)
    points[1, 9, 9] = np.nan
    drawn = cloud.sure(points, confidence, inside)
    assert not drawn[0].any() and not drawn[1, 9, 9]
    # 99 points are usable; ⌈0.15·99⌉ = 15 are low.
    assert drawn.sum() == 84 and not drawn[1].ravel()[:15].any()


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_nothing_is_dropped_where_all_points_are_equally_sure(value):
    drawn = cloud.sure(np.zeros((1, 4, 4, 3)), np.full((1, 4, 4), value), np.ones((1, 4, 4), bool))
    assert drawn.all()


@pytest.mark.parametrize("count", [0, 1, 17])
def test_the_file_reads_back_as_it_was_written(count):
    rng = np.random.default_rng(3)
    points, colours = rng.normal(size=(count, 3)).astype(np.float32), rng.integers(0, 255, (count, 3), np.uint8)
    read_points, read_colours = read_ply(cloud.ply(points, colours))
    np.testing.assert_array_equal(read_points, points)
    np.testing.assert_array_equal(read_colours, colours)
