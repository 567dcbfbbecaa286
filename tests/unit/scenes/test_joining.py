"""Prompts of several clicks as one, in some views only, with former masks beside them."""

import numpy as np
import pytest

from mvsam.pipeline.normalization import NormalizedPrompts
from mvsam.scenes.joining import in_views, joined, portions, refining

OBJECTS, VIEWS, SIDE = 2, 3, 4


def prompts(value: float, objects: int = 1, points: int = 1, masks: int = 0) -> NormalizedPrompts:
    """Whose masks are for the first views of the first object."""
    index = np.zeros((objects, VIEWS), np.int32)
    index[0, :masks] = np.arange(1, masks + 1)
    rows = np.full((masks + 1, 1, SIDE, SIDE), value, np.float32)
    rows[0] = 0
    placed = np.full((objects, points, 3), value, np.float32)
    return NormalizedPrompts(placed, placed[..., 0] > 0, np.ones((objects, points), np.int32), rows, index)


@pytest.mark.parametrize("views", [1, 5, 20])
@pytest.mark.parametrize("most", [0, 1, 3, 50])
def test_every_view_has_its_place_and_the_first_are_first(views, most):
    first = {view for view in (0, 2, 3, 11) if view < views}
    runs = portions(views, first, most)
    order = [view for run in runs for view in range(views)[run]]
    assert sorted(order) == list(range(views))
    assert set(order[: len(first)]) == first
    assert all(1 <= run.stop - run.start <= max(1, most) for run in runs)


def test_joined_prompts_are_padded_and_keep_their_masks():
    found = joined([prompts(1, points=3, masks=2), prompts(2, objects=2, masks=1)])
    assert found.prompt_points.shape == (3, 3, 3)
    assert found.prompt_labels.tolist() == [[1, 1, 1], [1, -1, -1], [1, -1, -1]]
    assert not found.prompt_low_confidence[1:, 1:].any() and not found.prompt_points[1:, 1:].any()
    assert found.mask_prompts[:, 0, 0, 0].tolist() == [0, 1, 1, 2]
    assert found.mask_index[:, :3].tolist() == [[1, 2, 0], [3, 0, 0], [0, 0, 0]]
    assert found.mask_index.dtype == np.int32


def test_a_call_gets_the_masks_of_its_views_alone():
    masks = np.arange(5, dtype=np.float32)[:, None, None, None] * np.ones((1, 1, 2, 2), np.float32)
    index = np.array([[0, 2, 4], [1, 0, 4]], np.int32)
    points = np.zeros((2, 1, 3), np.float32)
    prompts = NormalizedPrompts(points, points[..., 0] > 0, np.ones((2, 1), np.int32), masks, index)
    part = in_views(prompts, slice(1, 3))
    assert part.mask_prompts[:, 0, 0, 0].tolist() == [0, 2, 4]
    assert part.mask_index.tolist() == [[1, 2], [0, 2]]
    assert part.mask_index.dtype == np.int32


def test_former_masks_are_clipped_and_give_way_to_prompted_ones():
    given = joined([prompts(7, masks=1), prompts(0)])
    logits = 9 + np.zeros((OBJECTS, VIEWS, SIDE, SIDE), np.float32)
    logits[1, 1], logits[0, 2] = 30, -12
    part = refining(in_views(given, slice(0, 2)), [(1, logits[:1]), (1, logits[1:])], slice(0, 2))
    assert part.mask_prompts[part.mask_index][:, :, 0, 0, 0].tolist() == [[7, 9], [9, 10]]
    part = refining(in_views(given, slice(1, 3)), [(1, logits[:1]), (1, None)], slice(1, 3))
    assert part.mask_prompts[part.mask_index][:, :, 0, 0, 0].tolist() == [[9, 0], [0, 0]]
    assert part.mask_index[0, 1] == 0, "a mask that was empty for certain says nothing"
    assert part.mask_index.dtype == np.int32 and not part.mask_prompts[0].any()


def test_without_former_masks_nothing_changes():
    given = in_views(prompts(7, masks=1), slice(0, 3))
    assert refining(given, [(1, None)], slice(0, 3)) is given
