"""Prompts lie where they should, and damage is as large as the paper says."""

import numpy as np
import pytest

from mvsam.training.prompt_sampling import DenseReading, PromptSampling, damaged_mask, sample_clicks

MASK = np.zeros((60, 80), bool)
MASK[20:40, 30:60] = True
EVERYWHERE = np.ones_like(MASK)


def test_clicks_have_the_labels_of_their_pixels() -> None:
    rng = np.random.default_rng(0)
    sampling = PromptSampling(clicks=10, fewest=1, negative_share=0.3)
    counts = set()
    for _ in range(200):
        clicks = sample_clicks(MASK, EVERYWHERE, sampling, rng)
        assert clicks is not None
        assert np.array_equal(MASK[clicks.rows, clicks.columns], clicks.labels == 1)
        assert (clicks.labels == 0).sum() <= 0.3 * len(clicks.labels)
        counts.add(len(clicks.labels))
    assert counts == set(range(1, 11))


def test_the_papers_sampling_is_ten_clicks_with_at_most_one_negative() -> None:
    rng = np.random.default_rng(1)
    drawn = [sample_clicks(MASK, EVERYWHERE, PromptSampling(), rng) for _ in range(100)]
    negatives = [int((clicks.labels == 0).sum()) for clicks in drawn if clicks is not None]
    assert {len(clicks.labels) for clicks in drawn if clicks is not None} == {10}
    assert set(negatives) == {0, 1}


def test_clicks_fall_on_geometry_only() -> None:
    allowed = np.zeros_like(MASK)
    allowed[25:30] = True
    rng = np.random.default_rng(2)
    clicks = sample_clicks(MASK, allowed, PromptSampling(negative_share=0.5), rng)
    assert clicks is not None and allowed[clicks.rows, clicks.columns].all()
    assert sample_clicks(MASK, ~MASK, PromptSampling(), rng) is None


def test_an_object_that_fills_the_picture_gets_positive_clicks_only() -> None:
    clicks = sample_clicks(EVERYWHERE, EVERYWHERE, PromptSampling(negative_share=0.5), np.random.default_rng(3))
    assert clicks is not None and (clicks.labels == 1).all()


def test_damage_by_area_drops_most_of_the_mask() -> None:
    rng = np.random.default_rng(4)
    kept = []
    for _ in range(200):
        damaged = damaged_mask(MASK, DenseReading.AREA, rng)
        if damaged is not None:
            kept.append((damaged & MASK).sum() / MASK.sum())
    assert np.mean(kept) == pytest.approx(0.8 * 0.2, abs=0.04)


def test_damage_by_samples_drops_most_prompts_and_keeps_most_of_the_rest() -> None:
    rng = np.random.default_rng(5)
    drawn = [damaged_mask(MASK, DenseReading.SAMPLES, rng) for _ in range(400)]
    given = [damaged for damaged in drawn if damaged is not None]
    assert len(given) / len(drawn) == pytest.approx(0.2, abs=0.06)
    assert np.mean([(damaged & MASK).sum() / MASK.sum() for damaged in given]) == pytest.approx(0.8, abs=0.05)
