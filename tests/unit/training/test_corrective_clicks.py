"""Corrective clicks fall on errors, with the label of what is there and the point under it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mvsam.networks.mask_decoder import PlacedPrompts
from mvsam.pipeline.request import NEGATIVE, PADDING, POSITIVE
from mvsam.training.corrective_clicks import (
    ClickMap,
    Corrections,
    corrected,
    opened,
    with_answer,
    worst_pixel,
)
from mvsam.training.decoder_task import collate, corrective_iou
from tests.unit.training.toy import Discs, task

SIDE = 16
CORRECTIONS = Corrections(rounds=(1,), clicks=3, fed_back=0.5)


def prompts(objects: int, clicks: int = 2) -> PlacedPrompts:
    return PlacedPrompts(
        torch.zeros(objects, clicks, 3),
        torch.zeros(objects, clicks, dtype=torch.bool),
        torch.ones(objects, clicks, dtype=torch.int32),
        torch.zeros(1, 1, SIDE, SIDE),
        torch.zeros(objects, 1, dtype=torch.int32),
    )


def click_map() -> ClickMap:
    """Two views; a pixel's point is (view, row, column), and low confidence marks odd columns."""
    view, row, column = torch.meshgrid(torch.arange(2), torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    return ClickMap(torch.stack([view, row, column], -1).float(), column % 2 == 1)


def test_corrective_clicks_fall_on_what_is_wrong() -> None:
    targets = torch.zeros(2, SIDE, SIDE)
    targets[:, 2:8, 2:8] = 1
    logits = torch.full((2, SIDE, SIDE), -3.0)
    logits[0, 2:8, 2:5] = 3  # the right half is missed
    logits[1, 2:8, 2:12] = 3  # too much to the right
    for seed in range(20):
        chance = torch.rand(2, 5, generator=torch.Generator().manual_seed(seed))
        found = corrected(prompts(2), logits, targets, click_map(), torch.tensor([1, 0]), CORRECTIONS, chance)
        for item, (label, columns, view) in enumerate([(POSITIVE, range(5, 8), 1), (NEGATIVE, range(8, 12), 0)]):
            new = found.labels[item, 2:] != PADDING
            assert new.sum() == 1 + int(chance[item, 0] * 3)
            points = found.points[item, 2:][new]
            assert (points[:, 0] == view).all() and (points[:, 1] >= 2).all() and (points[:, 1] < 8).all()
            assert all(int(column) in columns for column in points[:, 2])
            assert (found.labels[item, 2:][new] == label).all()
            assert torch.equal(found.low_confidence[item, 2:][new], points[:, 2] % 2 == 1)


def test_a_right_answer_gets_no_clicks() -> None:
    targets = torch.zeros(1, SIDE, SIDE)
    targets[:, 4:9, 4:9] = 1
    found = corrected(
        prompts(1), 6 * targets - 3, targets, click_map(), torch.zeros(1).long(), CORRECTIONS, torch.rand(1, 5)
    )
    assert (found.labels[:, 2:] == PADDING).all()


def test_a_share_of_the_answers_is_fed_back_as_a_mask() -> None:
    logits = torch.linspace(-20, 20, SIDE * SIDE).reshape(1, SIDE, SIDE).repeat(2, 1, 1)
    chance = torch.tensor([[0.0, 0.4, 0, 0, 0], [0.0, 0.6, 0, 0, 0]])
    targets, views = torch.zeros_like(logits), torch.zeros(2).long()
    found = corrected(prompts(2), logits, targets, click_map(), views, CORRECTIONS, chance)
    assert found.mask_index[1] == 0
    assert torch.equal(found.masks[int(found.mask_index[0]), 0], logits[0].clamp(-10, 10))


def test_all_answers_can_be_fed_back() -> None:
    logits = torch.randn(3, SIDE, SIDE)
    found = with_answer(prompts(3), logits)
    assert torch.equal(found.masks[found.mask_index[:, 0].long(), 0], logits)


def test_opening_keeps_the_first_clicks_only() -> None:
    chance = torch.tensor([0.0, 0.99])
    labels = opened(prompts(2, clicks=5), Corrections(rounds=(1,), opening=3), chance).labels
    assert (labels != PADDING).sum(1).tolist() == [1, 3]
    assert (labels[:, 0] == POSITIVE).all()


@pytest.mark.parametrize("found", ["nothing", "half", "too much", "all"])
def test_the_next_click_is_in_the_middle_of_the_largest_error(found: str) -> None:
    exact = np.zeros((20, 20), bool)
    exact[4:13, 4:13] = True
    answer = {
        "nothing": np.zeros_like(exact),
        "half": exact & (np.arange(20) < 6),
        "too much": exact | (np.arange(20) >= 13),
        "all": exact,
    }[found]
    pixel, label = worst_pixel(answer, exact)
    row, column = divmod(pixel, 20)
    if found == "all":
        assert label == PADDING
    elif found == "too much":
        assert label == NEGATIVE and not exact[row, column] and answer[row, column]
    else:
        assert label == POSITIVE and (exact & ~answer)[row, column]
    if found == "nothing":
        assert (row, column) == (8, 8)


def test_more_clicks_than_an_example_has_random_numbers_for_are_refused() -> None:
    with pytest.raises(ValueError, match="3 rounds of 4 clicks need 19 draws, over 16"):
        Corrections(rounds=(0, 3), clicks=4)


def test_rounds_change_the_answer_and_keep_gradients_of_the_last_pass() -> None:
    toy = task()
    toy.model.corrections = CORRECTIONS
    batch = toy.batch(0, range(4))
    assert batch.rounds == 1
    with_rounds = toy.model(batch)
    plain = toy.model(batch._replace(rounds=0))
    assert with_rounds.shape == plain.shape and not torch.equal(with_rounds, plain)
    with_rounds.mean().backward()
    assert all(p.grad is not None for p in toy.model.encoder.parameters() if p.requires_grad)


def test_iou_after_corrective_clicks_is_that_of_the_objects_not_of_the_samples_prompts() -> None:
    toy = task()
    batch = collate([Discs().sample(0, example) for example in range(3)])
    other = batch._replace(prompt_labels=torch.full_like(batch.prompt_labels, PADDING))
    with torch.inference_mode():
        features = toy.model.encoder(batch.images)
        values = corrective_iou(toy.model, features, batch)
        again = corrective_iou(toy.model, features, other)
    assert set(values) == {1, 3, 10} and all(value.shape == (3,) for value in values.values())
    assert all(torch.equal(values[clicks], again[clicks]) for clicks in values)


def test_steps_take_turns_in_rounds() -> None:
    toy = task()
    toy.model.corrections = replace(CORRECTIONS, rounds=(0, 1))
    assert [toy.batch(step, [0]).rounds for step in range(4)] == [0, 1, 0, 1]
