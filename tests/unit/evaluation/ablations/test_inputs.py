"""Variants differ in what they are meant to differ in, and the baseline sees what the product sees."""

from dataclasses import replace

import numpy as np
import pytest

from mvsam.evaluation.ablations.inputs import BEYOND, DecoderInputs, decoder_inputs, low_confidence, observed
from mvsam.evaluation.ablations.tables import BASELINE, RAW
from mvsam.evaluation.ablations.variants import AS_TRAINED, PRESET, Evaluation, Variant
from mvsam.evaluation.questions import Question
from mvsam.networks.presets import Attention, Positions
from mvsam.pipeline.normalization import normalize
from mvsam.pipeline.request import Geometry, Prompts
from mvsam.training.disturbance import Disturbance
from tests.unit.evaluation.ablations.material import VIEWS, encoded, scene

EVERY_VIEW = np.arange(VIEWS)
QUESTION = Question(
    0,
    views=np.array([1, 4, 4]),
    rows=np.array([22, 37, 5]),
    columns=np.array([20, 18, 50]),
    positive=np.array([True, True, False]),
)


def inputs(variant: Variant, evaluation: Evaluation = AS_TRAINED) -> DecoderInputs:
    features = encoded().features(0, EVERY_VIEW)
    return decoder_inputs(scene(), features, [QUESTION], variant, evaluation, np.random.default_rng(0))


def with_positions(positions: Positions, attention: Attention) -> Variant:
    return replace(BASELINE, decoder=replace(PRESET.decoder, positions=positions, attention=attention))


def test_baseline_sees_what_the_pipeline_makes_of_the_same_request() -> None:
    made = scene()
    count, height, width = made.depth.shape
    expected = normalize(
        Geometry(made.points, np.ones(made.depth.shape, np.float32), made.valid),
        np.tile(np.array([height, width], np.int32), (count, 1)),
        np.tile(np.array([0, 0, width, height], np.float32), (count, 1)),
        Prompts.of(
            np.stack([QUESTION.columns, QUESTION.rows], axis=-1)[None].astype(np.float32),
            QUESTION.positive[None].astype(np.int32),
            QUESTION.views[None].astype(np.int32),
        ),
        grid_side=PRESET.grid_side,
    )
    found = inputs(BASELINE)
    assert np.allclose(found.grid.points, expected.grid_points, atol=1e-5)
    assert np.allclose(found.prompts.points[:, :3], expected.prompt_points, atol=1e-5)
    assert np.array_equal(found.prompts.labels[:, :3], expected.prompt_labels)
    assert (found.prompts.labels[:, 3:] == -1).all(), "padding"
    assert not found.grid.low_confidence.any() and not found.prompts.low_confidence.any()


def test_standardized_scenes_have_no_scale() -> None:
    standardized = [inputs(BASELINE, Evaluation(scale=scale)).grid.points for scale in (1, 5)]
    assert np.allclose(standardized[0], standardized[1], atol=1e-5)
    raw = [inputs(RAW, Evaluation(scale=scale)).grid.points for scale in (1, 5)]
    assert np.allclose(5 * raw[0], raw[1])
    assert np.allclose(raw[0][0, 0, 0], scene().points[0, 2, 2]), "the pixel at the centre of the first cell"


def test_projected_prompts_lie_on_the_same_point_of_every_view() -> None:
    made, places = scene(), inputs(with_positions(Positions.IMAGE, Attention.SINGLE)).prompts.points[0].numpy()
    side = made.depth.shape[1]
    seen = 0
    for prompt, clicked in enumerate(made.points[QUESTION.views, QUESTION.rows, QUESTION.columns]):
        for view in EVERY_VIEW:
            x, y = ((places[view, prompt] + 1) / 2 * side).astype(int)
            if 0 <= x < side and 0 <= y < side:
                seen += np.linalg.norm(made.points[view, y, x] - clicked) < 0.02
    own = places[QUESTION.views, np.arange(3)]
    assert np.allclose((own + 1) / 2 * side, np.stack([QUESTION.columns, QUESTION.rows], axis=-1) + 0.5, atol=1e-3)
    assert seen >= 2 * VIEWS, "most clicks are seen in most views"


def test_under_full_attention_a_prompt_lies_in_its_own_photograph() -> None:
    every = inputs(with_positions(Positions.IMAGE, Attention.SINGLE)).prompts.points[0]
    own = inputs(with_positions(Positions.IMAGE, Attention.FULL)).prompts.points[0]
    assert own.shape == (12, 2)
    assert np.array_equal(own[:3], every[QUESTION.views, np.arange(3)])


def test_prompts_behind_a_camera_are_held_outside_its_picture() -> None:
    made = scene()
    poses = made.camera_poses.copy()
    poses[7, :3, :3] = np.eye(3)  # looks up
    variant, features = with_positions(Positions.IMAGE, Attention.SINGLE), encoded().features(0, EVERY_VIEW)
    turned = replace(made, camera_poses=poses)
    placed = decoder_inputs(turned, features, [QUESTION], variant, AS_TRAINED, np.random.default_rng(0))
    assert (placed.prompts.points[0, 7, :3].abs().max(-1).values == BEYOND).all()


@pytest.mark.parametrize("share", [0.05, 0.15, 0.3])
def test_flagged_share_is_the_one_with_the_lowest_confidence(share: float) -> None:
    confidence = np.random.default_rng(0).random((3, 40, 40))
    low = low_confidence(confidence, share)
    assert low.mean() == pytest.approx(share, abs=1e-3)
    assert confidence[low].max() < confidence[~low].min()


def test_nothing_is_flagged_where_nothing_is_less_sure() -> None:
    assert not low_confidence(np.ones((2, 4, 4)), 0.15).any()
    assert not low_confidence(np.random.default_rng(0).random((2, 4, 4)), 0).any()


def test_noise_is_relative_to_the_deviation_along_each_axis() -> None:
    made = scene()
    noisy = observed(made, BASELINE, Evaluation(noise=0.5), np.random.default_rng(0)).points
    deviation = made.points.reshape(-1, 3).std(0)
    assert np.allclose((noisy - made.points).reshape(-1, 3).std(0), 0.5 * deviation, rtol=0.02)


def test_flagged_points_are_the_wrong_ones() -> None:
    variant = replace(BASELINE, errors=Disturbance(share=1.0, noise=1.0, views=1))
    made = scene()
    geometry = observed(made, variant, AS_TRAINED, np.random.default_rng(0))
    wrong = np.linalg.norm(geometry.points - made.points, axis=-1)
    low = low_confidence(geometry.confidence, 0.15)
    assert wrong[low].mean() > 3 * wrong[~low].mean() > 0
