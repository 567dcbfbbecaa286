import numpy as np
import pytest

from mvsam.pipeline.frames import Frame
from mvsam.pipeline.prompts import dense_prompts, lift_prompts
from mvsam.pipeline.request import Geometry, Prompts

HEIGHT, WIDTH = 60, 80
FRAME = Frame((120, 160), (0.0, 0.0, 80.0, 60.0))


@pytest.fixture
def room(rng) -> Geometry:
    """One view of a wavy wall with a nearer slab before it, at rows 20 to 40 and columns 30 to 50."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    depth = 5 + 0.8 * np.sin(columns / 9) + 0.5 * np.cos(rows / 6)
    slab = _slab()
    depth[slab] = 2 + 0.02 * np.sin(columns[slab])
    points = np.stack([(columns - 40) / 60 * depth, (rows - 30) / 60 * depth, depth], axis=-1).astype(np.float32)
    return Geometry.of(points[None], rng.random((1, HEIGHT, WIDTH)))


def _slab() -> np.ndarray:
    slab = np.zeros((HEIGHT, WIDTH), bool)
    slab[20:41, 30:51] = True
    return slab


def prompts(boxes=None, masks=0, clicks=0) -> Prompts:
    boxes = np.reshape([] if boxes is None else boxes, (-1, 4))
    zeros = [0] * len(boxes)
    return Prompts.of(
        np.full((1, clicks, 2), 10.0), np.ones((1, clicks), int), np.zeros((1, clicks), int),
        boxes, zeros, zeros, [b""] * masks, [0] * masks, [0] * masks,
    )  # fmt: skip


def pixels_of(points: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Row and column of each lifted point, by its coordinates."""
    matches = (geometry.points[0][None] == points[:, None, None]).all(axis=-1)
    assert (matches.sum(axis=(1, 2)) == 1).all()
    return np.array([np.argwhere(match)[0] for match in matches])


def nothing_low(geometry: Geometry) -> np.ndarray:
    return np.zeros_like(geometry.valid)


def test_a_loose_box_gives_eight_points_on_the_object_and_four_beside_it(room):
    lifted = lift_prompts(prompts([[56, 36, 104, 84]]), [], room, nothing_low(room), [FRAME])
    assert lifted.labels.tolist() == [[1] * 8 + [0] * 4]
    rows, columns = pixels_of(lifted.points[0], room).T
    assert _slab()[rows[:8], columns[:8]].all()
    assert not _slab()[rows[8:], columns[8:]].any()
    outside = (rows[8:] < 18) | (rows[8:] > 42) | (columns[8:] < 28) | (columns[8:] > 52)
    assert outside.all()


def test_what_lies_on_the_objects_own_surface_is_no_negative(room):
    lifted = lift_prompts(prompts([[64, 44, 90, 80]]), [], room, nothing_low(room), [FRAME])
    rows, columns = pixels_of(lifted.points[0, lifted.labels[0] == 0], room).T
    assert len(rows) == 1  # only below: the slab goes on above this box and on both sides
    assert not _slab()[rows, columns].any()


def test_negatives_stay_inside_the_picture(room):
    lifted = lift_prompts(prompts([[0, 0, 160, 120]]), [], room, nothing_low(room), [FRAME])
    assert (lifted.labels[0] == 1).sum() == 8 and not (lifted.labels[0] == 0).any()


def test_a_box_on_a_plane_takes_all_of_it():
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    plane = Geometry.of(np.stack([columns, rows, np.full_like(rows, 4)], axis=-1)[None], np.ones((1, HEIGHT, WIDTH)))
    lifted = lift_prompts(prompts([[40, 40, 80, 80]]), [], plane, nothing_low(plane), [FRAME])
    x, y = lifted.points[0, :8, 0], lifted.points[0, :8, 1]
    assert lifted.labels.tolist() == [[1] * 8 + [0] * 4]
    assert (x >= 20).all() and (x <= 40).all() and (y >= 20).all() and (y <= 40).all()


def test_invalid_pixels_are_never_prompts(room, rng):
    valid = rng.random((1, HEIGHT, WIDTH)) > 0.4
    points = np.where(valid[..., None], room.points, np.float32(np.nan))
    holed = Geometry(points, room.confidence, valid)
    mask = doubled(_slab())
    lifted = lift_prompts(prompts([[56, 36, 104, 84]], masks=1), [mask], holed, nothing_low(room), [FRAME])
    assert np.isfinite(lifted.points).all()
    assert (lifted.labels == 1).sum() == 16


def doubled(region: np.ndarray) -> np.ndarray:
    """A region of the pointmap as a mask of the photograph, twice as large."""
    return region.repeat(2, axis=0).repeat(2, axis=1)


def test_a_mask_gives_confident_points_inside_and_outside(room, rng):
    low = rng.random((1, HEIGHT, WIDTH)) < 0.5
    lifted = lift_prompts(prompts(masks=1), [doubled(_slab())], room, low, [FRAME])
    rows, columns = pixels_of(lifted.points[0], room).T
    assert lifted.labels.tolist() == [[1] * 8 + [0] * 2]
    assert _slab()[rows, columns].tolist() == [True] * 8 + [False] * 2
    assert not lifted.low_confidence.any()


def test_a_mask_where_nothing_is_confident_still_gives_points_and_says_so(room):
    lifted = lift_prompts(prompts(masks=1), [doubled(_slab())], room, _slab()[None], [FRAME])
    assert lifted.low_confidence[0].tolist() == [True] * 8 + [False] * 2


def test_a_mask_of_one_pixel_is_found(room):
    mask = np.zeros((120, 160), bool)
    mask[50, 70] = True
    lifted = lift_prompts(prompts(masks=1), [mask], room, nothing_low(room), [FRAME])
    assert pixels_of(lifted.points[0, lifted.labels[0] == 1], room).tolist() == [[25, 35]]


def test_clicks_come_first_then_boxes_then_masks(room):
    everything = prompts([[56, 36, 104, 84]], masks=1, clicks=2)
    lifted = lift_prompts(everything, [doubled(_slab())], room, nothing_low(room), [FRAME])
    assert lifted.labels.tolist() == [[1] * 2 + [1] * 8 + [0] * 4 + [1] * 8 + [0] * 2]
    assert (lifted.points[0, :2] == room.points[0, 5, 5]).all()


def test_dense_prompts_are_sams_logits_of_the_averaged_mask():
    mask = np.zeros((128, 96), bool)
    mask[:, 48:] = True
    mask[:64, 40:48] = True
    pair = Prompts.of(
        np.zeros((2, 0, 2)), np.zeros((2, 0)), np.zeros((2, 0)),
        masks=[b"", b""], mask_objects=[1, 0], mask_views=[2, 0],
    )  # fmt: skip
    rows, index = dense_prompts(pair, [mask, ~mask], 3, 8)
    assert rows.shape == (3, 1, 8, 8) and rows.dtype == np.float32 and index.dtype == np.int32
    assert not rows[0].any()
    np.testing.assert_allclose(rows[1, 0, 0], [-10, -10, -10, 10 * (2 * 2 / 3 - 1), 10, 10, 10, 10], atol=1e-4)
    np.testing.assert_allclose(rows[1, 0, 7], [-10, -10, -10, -10, 10, 10, 10, 10], atol=1e-4)
    np.testing.assert_allclose(rows[2], -rows[1], atol=1e-4)
    assert index.tolist() == [[2, 0, 0], [0, 0, 1]]
