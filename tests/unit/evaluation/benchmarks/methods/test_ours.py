"""MV-SAM's own methods and the ball around the clicks, on one exact scene."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mvsam.evaluation.ablations.inputs import decoder_inputs
from mvsam.evaluation.ablations.rival import CONFIG, VARIANT, load_rival
from mvsam.evaluation.ablations.variants import AS_TRAINED
from mvsam.evaluation.benchmarks.catalogue import METHODS, Sources
from mvsam.evaluation.benchmarks.methods.answers import masks_of, prompts_of
from mvsam.evaluation.benchmarks.methods.distance import Distance
from mvsam.evaluation.benchmarks.methods.image_positions import ImagePositionsSession
from mvsam.evaluation.benchmarks.methods.method import Refining
from mvsam.evaluation.benchmarks.methods.mvsam import PreparedMvSam
from mvsam.evaluation.benchmarks.methods.reprojection import Form, Projection
from mvsam.evaluation.benchmarks.methods.triton import PreparedTriton
from mvsam.evaluation.benchmarks.results import RunError
from mvsam.evaluation.benchmarks.scenes import Click, Scene
from mvsam.evaluation.benchmarks.synthetic import asked_scene
from mvsam.evaluation.questions import Prompting, ask
from mvsam.networks.checkpoints import CheckpointError
from mvsam.networks.image_encoder import ImageFeatures
from mvsam.networks.mask_decoder import MaskDecoder
from mvsam.networks.presets import PRESETS
from mvsam.networks.seeded import seed_weights
from mvsam.pipeline.encodings import MaskEncoding
from mvsam.pipeline.postprocessing import postprocess
from mvsam.pipeline.prompts import MASK_LOGIT
from mvsam.runtime.segmenter import Segmenter
from mvsam.synthetic.scene import Split, sample_scene

DEMO = PRESETS["demo"]
WEIGHTS = Path("weights")


@pytest.fixture(scope="module")
def drawn():
    return sample_scene(3, Split.TEST, views=4, height=64, width=64)


@pytest.fixture(scope="module")
def question(drawn):
    found = ask(drawn, Prompting.TEN_AND_TWO, np.random.default_rng(0))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def scene(drawn, question) -> Scene:
    return asked_scene("3", drawn, question)


@pytest.fixture(scope="module")
def photographs(scene: Scene) -> list[bytes]:
    return [photograph.read() for photograph in scene.photographs]


@pytest.fixture
def sources(tmp_path) -> Sources:
    return Sources(DEMO, WEIGHTS, tmp_path, None, "", None)


def test_ours_is_what_the_service_computes(sources, scene, photographs):
    """The same masks as the chain in one process, views in chunks or not."""
    assert scene.pointmaps is not None
    pointmaps, clicks = scene.pointmaps(), scene.targets[0].clicks
    offer = METHODS["pytorch"](sources)
    masks = offer.method.prepare(photographs, pointmaps).masks(clicks)
    sessions = [sources.pytorch(name)[0] for name in ("pi3", "sam2_encoder", "point_embedder", "mask_decoder")]
    segmenter = Segmenter(*sessions, encoder_side=DEMO.encoder.side, geometry_pixels=DEMO.geometry_pixels)
    prompts = prompts_of(clicks)
    found = segmenter.segment(photographs, prompts, pointmaps.geometry)
    expected = postprocess(found.mask_logits, found.prepared.image_sizes, prompts, MaskEncoding.RAW).masks[0]
    assert [mask.tobytes() for mask in masks] == list(expected)
    assert sum(mask.sum() for mask in masks) > 0
    assert offer.paper_name == "MV-SAM" and offer.weights["mask_decoder"]["trained"]


def test_fused_views_change_the_masks_and_not_what_is_fed_back(sources, scene, photographs):
    assert scene.pointmaps is not None
    pointmaps, clicks = scene.pointmaps(), scene.targets[0].clicks
    fused, plain = (
        METHODS[name](sources).method.prepare(photographs, pointmaps) for name in ("pytorch-fused", "pytorch")
    )
    assert isinstance(fused, PreparedMvSam) and isinstance(plain, PreparedMvSam)
    assert fused.scene.grid is not None and plain.scene.grid is None
    assert fused.scene.bytes > plain.scene.bytes
    (masks, answer), (own, logits) = fused.refined(clicks, None), plain.refined(clicks, None)
    np.testing.assert_allclose(answer, logits, atol=1e-3)
    again = masks_of(fused.scene.grid.fused(answer)[0], fused.sizes, clicks)
    assert all((a == b).all() for a, b in zip(masks, again, strict=True))
    assert any((a != b).any() for a, b in zip(masks, own, strict=True))


def test_a_former_answer_is_a_mask_prompt_in_every_view(sources, scene, photographs):
    prepared = METHODS["pytorch"](sources).method.prepare(photographs, None)
    assert isinstance(prepared, PreparedMvSam)
    clicks, given = scene.targets[0].clicks, []

    class Spy:
        types: dict[str, np.dtype] = {}  # noqa: RUF012

        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            given.append(inputs)
            return prepared.decoder.run(inputs)

    spied = replace(prepared, decoder=Spy())
    masks, first = spied.refined(clicks, None)
    assert all((a == b).all() for a, b in zip(masks, spied.masks(clicks), strict=True))
    assert not given[0]["mask_index"].any() and first.shape[:2] == (1, 4)
    _, second = spied.refined(clicks, first)
    prompts = given[-1]["mask_prompts"][given[-1]["mask_index"][0], 0]
    np.testing.assert_array_equal(prompts, first[0].clip(-MASK_LOGIT, MASK_LOGIT))
    assert not np.array_equal(first, second)


def test_the_server_is_asked_to_feed_its_own_answer_back():
    asked = []

    class Kept:
        def segment(self, *, points, previous):
            asked.append((len(points), previous))
            return SimpleNamespace(masks=[["mask"]], answer=f"answer {len(asked)}")

    prepared = PreparedTriton(Kept())  # pyright: ignore[reportArgumentType]
    assert isinstance(prepared, Refining)
    clicks = [Click(0, 1, 2), Click(1, 3, 4, False)]
    masks, former = prepared.refined(clicks[:1], None)
    prepared.refined(clicks, former)
    assert masks == prepared.masks(clicks) == ["mask"]
    assert asked == [(1, ""), (2, "answer 1"), (2, "")]


def test_a_ball_marks_what_is_near_and_nothing_else(scene, photographs):
    assert scene.pointmaps is not None
    pointmaps = scene.pointmaps()
    (click,) = [click for click in scene.targets[0].clicks if click.positive][:1]
    near = Distance("ball", radius=0.1).prepare(photographs, pointmaps).masks([click])
    far = Distance("ball", radius=0.3).prepare(photographs, pointmaps).masks([click])
    assert near[click.view][int(click.y), int(click.x)]
    assert all((a <= b).all() for a, b in zip(near, far, strict=True))
    assert 0 < sum(mask.sum() for mask in near) < sum(mask.sum() for mask in far) < 4 * 64 * 64
    centre = pointmaps.geometry.points[click.view, int(click.y), int(click.x)]
    points = pointmaps.geometry.points.reshape(-1, 3).astype(np.float64)
    spread = np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean())
    marked = pointmaps.geometry.points[np.stack(near)]
    assert np.linalg.norm(marked - centre, axis=1).max() <= 0.1 * spread + 1e-5


def test_methods_say_what_they_lack(sources, photographs):
    with pytest.raises(ValueError, match="needs pointmaps"):
        Distance("ball").prepare(photographs, None)
    with pytest.raises(RunError, match="--server"):
        METHODS["triton"](sources)
    with pytest.raises(RunError, match="demo only"):
        METHODS["2d"](replace(sources, preset=PRESETS["tiny"]))
    with pytest.raises(CheckpointError, match="make train-rival"):
        load_rival(sources.graphs)


def test_the_rival_is_asked_as_it_was_trained(drawn, question, scene, photographs):
    """Its logits here are those of the ablations' own inputs."""
    torch.manual_seed(0)
    decoder = MaskDecoder(CONFIG)
    seed_weights(decoder)
    encoder, _ = Sources(DEMO, WEIGHTS, WEIGHTS, None, "", None).pytorch("sam2_encoder")
    assert scene.pointmaps is not None
    method = Projection("2-D", encoder, ImagePositionsSession(decoder.eval()), DEMO.encoder.side, Form.CAMERAS_HELD)
    prepared = method.prepare(photographs, scene.pointmaps())
    logits = {}

    class Spy(ImagePositionsSession):
        def run(self, inputs):
            found = super().run(inputs)
            logits["found"] = found["mask_logits"]
            return found

    prepared = replace(prepared, decoder=Spy(decoder))
    prepared.masks(scene.targets[0].clicks)
    features = ImageFeatures(
        *(torch.from_numpy(prepared.features[name]) for name in ("image_embedding", "high_res_0", "high_res_1"))
    )
    inputs = decoder_inputs(drawn, features, [question], VARIANT, AS_TRAINED, np.random.default_rng(0))
    with torch.inference_mode():
        expected = decoder(*inputs)[0].numpy()
    scale = np.abs(expected).max()
    assert np.abs(logits["found"] - expected).max() < 1e-3 * scale


def test_clicks_keep_their_labels_and_views():
    prompts = prompts_of([Click(2, 1.5, 3.0), Click(0, 4.0, 5.0, False)])
    assert prompts.points.tolist() == [[[1.5, 3.0], [4.0, 5.0]]]
    assert prompts.point_labels.tolist() == [[1, 0]] and prompts.point_views.tolist() == [[2, 0]]
