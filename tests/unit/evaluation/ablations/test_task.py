"""Training batches are what they are said to be, and the same whoever asks."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from mvsam.evaluation.ablations.tables import BASELINE, SINGLE_VIEWS, TABLES
from mvsam.evaluation.ablations.task import AblatedDecoder, Batch, VariantTask
from mvsam.evaluation.ablations.variants import PRESET, SCALES, Variant
from mvsam.pipeline.request import PADDING, POSITIVE
from tests.unit.evaluation.ablations.material import VIEWS, encoded

SIDE = 4 * PRESET.grid_side
SCALE = replace(SCALES["taste"], objects=2)


def task(variant: Variant) -> VariantTask:
    return VariantTask(AblatedDecoder(variant), variant, encoded(), SCALE, seed=0)


def examples(variant: Variant) -> range:
    return range(1) if variant is BASELINE else range(3)


@pytest.mark.parametrize("variant", [BASELINE, SINGLE_VIEWS])
def test_batches_depend_on_the_step_alone(variant: Variant) -> None:
    one, again, other = (task(variant).batch(step, examples(variant)) for step in (3, 3, 4))
    assert torch.equal(one.targets, again.targets)
    assert torch.equal(one.inputs.prompts.points, again.inputs.prompts.points)
    assert not torch.equal(one.inputs.prompts.points, other.inputs.prompts.points)


def test_eight_views_of_one_scene() -> None:
    batch = task(BASELINE).batch(0, range(1))
    assert batch.views is None
    assert batch.targets.shape == (2, VIEWS, SIDE, SIDE)
    assert batch.inputs.grid.points.shape == (VIEWS, PRESET.grid_side, PRESET.grid_side, 3)


def test_single_views_of_several_scenes() -> None:
    batch = task(SINGLE_VIEWS).batch(0, range(3))
    assert batch.views is not None
    assert batch.targets.shape == (len(batch.views), 1, SIDE, SIDE)
    assert len(batch.inputs.grid.points) == 3 and set(batch.views.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("variant", [BASELINE, SINGLE_VIEWS])
def test_prompts_lie_where_their_labels_say(variant: Variant) -> None:
    """The grid point nearest to a prompt is of a cell that shows the object, or does not consist of it."""
    prompts = [prompt for step in range(4) for prompt in nearest_shares(task(variant).batch(step, examples(variant)))]
    positive, negative = ([share for label, share in prompts if (label == POSITIVE) == wanted] for wanted in (1, 0))
    assert np.mean(np.array(positive) > 0) > 0.9
    assert len(negative) > 2 and np.mean(np.array(negative) > 0.5) < 0.2


def nearest_shares(batch: Batch) -> Iterator[tuple[int, float]]:
    """Of each prompt: its label, and how much of the cell at the nearest grid point its object covers."""
    for index, labels in enumerate(batch.inputs.prompts.labels):
        views = slice(None) if batch.views is None else [int(batch.views[index])]
        grid = batch.inputs.grid.points[views].reshape(-1, 3)
        covered = torch.nn.functional.avg_pool2d(batch.targets[index], 4).reshape(-1)
        for point, label in zip(batch.inputs.prompts.points[index], labels, strict=True):
            if label != PADDING:
                yield int(label), float(covered[(grid - point).norm(dim=-1).argmin()])


@pytest.mark.parametrize(
    "variant", dict.fromkeys(row.variant for table in TABLES for row in table.rows), ids=lambda v: v.name
)
def test_every_variant_can_be_trained(variant: Variant) -> None:
    one = replace(task(variant), scale=SCALES["taste"])
    batch: Batch = one.batch(0, range(1))
    loss, _ = one.loss(one.model, batch)
    loss.backward()
    assert torch.isfinite(loss)
    gradients = [weights.grad for name, weights in one.model.named_parameters() if "image_to_token.q_proj" in name]
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)
