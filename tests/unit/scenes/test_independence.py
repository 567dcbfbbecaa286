"""Objects are independent in the demo's own decoder: whatever else is asked for, a mask stays what it is."""

from pathlib import Path

import numpy as np
import pytest

from mvsam.evaluation.benchmarks.catalogue import Sources, in_process
from mvsam.evaluation.benchmarks.methods.mvsam import PreparedMvSam
from mvsam.networks.presets import PRESETS
from mvsam.pipeline.encodings import MaskEncoding, encode_mask
from mvsam.pipeline.normalization import NormalizedPrompts
from mvsam.pipeline.request import NEGATIVE, PADDING, POSITIVE, Prompts
from mvsam.scenes.joining import joined, refining
from mvsam.synthetic.scene import Split, sample_scene
from mvsam_client.images import encode_image

VIEWS, SIDE = 3, 64
ALL = slice(0, VIEWS)
ROUNDING = 1e-3  # of logits, which are some tens: sums over other batches and paddings


@pytest.fixture(scope="module")
def prepared() -> PreparedMvSam:
    drawn = sample_scene(3, Split.TEST, views=VIEWS, height=SIDE, width=SIDE)
    sources = Sources(PRESETS["demo"], Path("weights"), Path("build"), None, "", None)
    prepared = in_process(sources, "PyTorch").method.prepare([encode_image(image) for image in drawn.images], None)
    assert isinstance(prepared, PreparedMvSam)
    return prepared


def chair(objects: int = 1, more: int = 0) -> Prompts:
    """One click on the first object, and room for others' prompts."""
    points, labels = np.zeros((objects, 1 + more, 2), np.float32), np.full((objects, 1 + more), PADDING, np.int32)
    points[0, 0], labels[0, 0] = (30, 34), POSITIVE
    return Prompts.of(points, labels, np.zeros_like(labels))


def with_clicks() -> Prompts:
    """Beside it an object of three clicks, nearby and elsewhere."""
    both = chair(2, 2)
    both.points[1], both.point_labels[1] = [(31, 35), (5, 5), (50, 20)], [POSITIVE, NEGATIVE, POSITIVE]
    both.point_views[1] = [0, 1, 2]
    return both


def with_a_box_and_a_mask() -> Prompts:
    """Beside it an object with a box in one view and a mask in another."""
    marked = np.zeros((SIDE, SIDE), bool)
    marked[20:40, 10:50] = True
    both = chair(2)
    return Prompts.of(
        both.points, both.point_labels, both.point_views,
        [[4, 4, 60, 40]], [1], [1], [encode_mask(marked, MaskEncoding.PNG)], [1], [2],
    )  # fmt: skip


def logits(prepared: PreparedMvSam, prompts: NormalizedPrompts) -> np.ndarray:
    features = {name: np.asarray(rows) for name, rows in prepared.scene.features.items()}
    return prepared.decoder.run(features | vars(prompts))["mask_logits"]


@pytest.mark.parametrize("beside", [with_clicks, with_a_box_and_a_mask])
@pytest.mark.parametrize("is_refined", [False, True])
def test_another_object_changes_nothing(prepared, beside, is_refined):
    alone, both = prepared.scene.normalized.lift(chair()), prepared.scene.normalized.lift(beside())
    former = logits(prepared, alone) if is_refined else None
    expected = logits(prepared, refining(alone, [(1, former)], ALL))
    assert (expected > 0).any() and (former is None or np.abs(expected - former).max() > 1), "nothing to compare"

    other = NormalizedPrompts(
        both.prompt_points[1:],
        both.prompt_low_confidence[1:],
        both.prompt_labels[1:],
        both.mask_prompts,
        both.mask_index[1:],
    )
    for formers in ([(1, former), (1, None)], [(1, former), (1, -logits(prepared, other))]):
        asked_apart = logits(prepared, refining(joined([alone, other]), formers, ALL))
        np.testing.assert_allclose(asked_apart[0], expected[0], atol=ROUNDING)
        swapped = logits(prepared, refining(joined([other, alone]), formers[::-1], ALL))
        np.testing.assert_allclose(swapped[1], expected[0], atol=ROUNDING)
    if former is None:
        np.testing.assert_allclose(logits(prepared, both)[0], expected[0], atol=ROUNDING)
