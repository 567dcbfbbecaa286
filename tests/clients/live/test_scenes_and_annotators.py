"""SAM2's vocabulary, several objects, undo and lost scenes against the real server."""

import numpy as np
import pytest

from mvsam_client import (
    Annotator,
    Box,
    Click,
    Client,
    InvalidRequestError,
    MaskPrompt,
    Scene,
    Segmentation,
    UnknownSceneError,
)
from server.stubs import stubs_of
from tests.clients.live.conftest import HEIGHT, VIEWS, WIDTH
from tests.waiting import PATIENCE, wait_until

PAINTED = np.zeros((HEIGHT, WIDTH), bool)
PAINTED[40:80, 50:110] = True


def assert_same(found: Segmentation, expected: Segmentation) -> None:
    """Up to pixels whose logit is 0 but for rounding."""
    assert any(mask.any() for row in expected.masks for mask in row), "nothing to compare"
    assert (found.array() != expected.array()).mean() < 1e-3
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-3)


def answered(annotator: Annotator) -> Segmentation:
    annotator.segment()
    assert annotator.segmentation
    return annotator.segmentation


FORMS = {
    "points": (
        {"points": [[80, 60], [5, 5]], "labels": [1, 0], "view": 2},
        {"points": [Click(2, 80, 60), Click(2, 5, 5, positive=False)]},
    ),
    "box": ({"box": (40, 30, 120, 100), "view": 1}, {"boxes": [Box(1, 40, 30, 120, 100)]}),
    "mask": ({"mask": np.where(PAINTED, 4.0, -4.0), "view": 3}, {"masks": [MaskPrompt(3, PAINTED)]}),
}


@pytest.mark.parametrize(("arrays", "lists"), FORMS.values(), ids=FORMS.keys())
def test_arrays_and_lists_are_answered_alike(client, encoded, photographs, arrays, lists):
    expected = encoded.segment(**lists)
    found = encoded.segment(**arrays, object_id=5)
    assert_same(found, expected)
    assert (found.object_ids, expected.object_ids) == ((5,), (0,))
    assert_same(client.segment(photographs, **arrays), expected)


def test_wrong_arrays_are_refused_before_they_are_sent(service, encoded):
    before = service.metric('mvsam_requests_total{action="segment",model="mvsam_scene",status="INVALID_ARGUMENT"}')
    for wrong in ({"points": [[WIDTH, 5]]}, {"points": [[1, 1]], "view": VIEWS}, {"box": (5, 5, 1, 1)}):
        with pytest.raises(InvalidRequestError, match=r"give|count"):
            encoded.segment(**wrong)
    after = service.metric('mvsam_requests_total{action="segment",model="mvsam_scene",status="INVALID_ARGUMENT"}')
    assert after == before


def test_an_annotators_masks_are_those_of_its_prompts(encoded):
    annotator = Annotator(encoded)
    annotator.add_click(2, 80, 60, object_id=7)
    annotator.add_box(1, 40, 30, 120, 100, object_id=3)
    parts = list(annotator.stream())
    assert {part.view for part in parts[:2]} == {1, 2} and sorted(part.view for part in parts) == list(range(VIEWS))
    expected = encoded.segment(points=[Click(2, 80, 60)], boxes=[Box(1, 40, 30, 120, 100, object=1)])
    assert_same(answered(annotator), expected)
    assert answered(annotator).object_ids == (7, 3)


@pytest.mark.parametrize("refine", [False, True])
def test_a_further_click_is_answered_as_asked_and_undo_brings_the_first_answer_back(encoded, refine):
    annotator = Annotator(encoded, refine=refine)
    annotator.add_click(2, 80, 60)
    first = answered(annotator)
    annotator.add_click(2, 5, 5, positive=False)
    second = answered(annotator)
    clicks = [Click(2, 80, 60), Click(2, 5, 5, positive=False)]
    assert_same(second, encoded.segment(points=clicks, previous=first.answer if refine else ""))
    assert np.array_equal(second.scores, encoded.segment(points=clicks).scores) != refine
    annotator.undo()
    assert_same(answered(annotator), first)
    annotator.undo()
    assert annotator.segment() == {}


@pytest.mark.parametrize("refine", [False, True])
def test_another_object_changes_no_mask_of_the_first(encoded, refine):
    annotator = Annotator(encoded, refine=refine)
    annotator.add_click(2, 80, 60, object_id=7)
    annotator.segment()
    annotator.add_click(2, 5, 5, positive=False, object_id=7)
    alone = answered(annotator)
    for change in (
        lambda: annotator.add_box(1, 40, 30, 120, 100, object_id=3),
        lambda: annotator.add_click(3, 20, 100, object_id=3),
        lambda: annotator.add_mask(4, PAINTED, object_id=11),
        lambda: annotator.remove_object(3),
    ):
        change()
        found = answered(annotator)
        assert found.object_ids[0] == 7 and len(found.object_ids) == len(annotator.object_ids)
        own = Segmentation(found.masks[:1], found.rles[:1], found.scores[:1], found.areas[:1], found.sizes)
        assert_same(own, alone)


def test_a_scene_that_another_has_closed_is_encoded_again(client, photographs, lose):
    with client.encode(photographs[:3]) as scene:
        annotator, lost = Annotator(scene), scene.id
        annotator.add_click(0, 80, 60)
        first = answered(annotator)
        lose(scene.id)
        annotator.add_click(0, 81, 60)
        assert len(annotator.segment()[1]) == 3 and scene.id != lost
        lose(scene.id)
        annotator.undo()
        assert_same(answered(annotator), first)
        with pytest.raises(UnknownSceneError):
            client.scene(lost).segment(points=[Click(0, 1, 1)])


def test_an_id_is_enough_to_learn_which_photographs_a_scene_has(client, encoded, photographs):
    found = client.scene(encoded.id)
    found.describe(outputs=("points",))
    found.check(photographs)
    assert found.sizes.tolist() == [[HEIGHT, WIDTH]] * VIEWS and len(found.extra["points"]) == VIEWS
    with pytest.raises(InvalidRequestError, match="another order"):
        found.check(photographs[::-1])
    assert_same(found.segment(points=[[80, 60]]), encoded.segment(points=[[80, 60]]))


def test_a_changed_scene_is_encoded_again_as_it_was(client, photographs, lose):
    with client.encode(photographs[:3]) as scene:
        scene.add(photographs[3:5])
        scene.remove([1])
        expected = scene.segment(points=[[80, 60]], view=2)
        lose(scene.id)
        assert_same(scene.segment(points=[[80, 60]], view=2), expected)
        assert scene.sizes.tolist() == [[HEIGHT, WIDTH]] * 4


def test_a_click_outlives_the_process_that_kept_the_scene(service, photographs):
    with Client(service.grpc_url, retries=1000) as client, client.encode(photographs[:2]) as scene:
        expected = scene.segment(points=[[80, 60]])
        stub = next(stub for stub in stubs_of(service.triton().pid) if stub.model == "mvsam_scene")
        stub.kill()
        assert_same(scene.segment(points=[[80, 60]], timeout=PATIENCE), expected)
    wait_until(service.is_ready)


def test_a_result_becomes_a_cloud_by_the_outputs_of_its_scene(client, photographs):
    from mvsam_client.cloud import CLOUD_OUTPUTS

    with client.encode(photographs[:2], outputs=CLOUD_OUTPUTS) as scene:
        found = scene.segment(points=[[80, 60]])
        cloud = found.point_cloud(photographs[:2], scene.extra)
    assert isinstance(scene, Scene) and len(cloud.positions) > 1000 and cloud.glb().startswith(b"glTF")
