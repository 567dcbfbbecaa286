"""Scenes kept in the real server: clicks on them are answered as by the ensembles, and what is gone is gone."""

import re
import threading
import time

import numpy as np
import pytest

from mvsam.synthetic.scene import Scene as Synthetic
from mvsam_client import (
    Box,
    Click,
    Client,
    Geometry,
    InvalidRequestError,
    MaskPrompt,
    Scene,
    SceneChangedError,
    Segmentation,
    UnknownSceneError,
)
from server.launcher import TritonServer
from tests.server.wire import PHOTOGRAPH, Tensors, Wire, files, floats, integers

CLICKS = [
    Click(view=2, x=100, y=210),
    Click(view=1, x=30, y=40, positive=False),
    Click(view=1, x=90.5, y=120.25, object=1),
]
BOX = Box(view=3, x0=100, y0=120, x1=400, y1=420, object=1)


@pytest.fixture(scope="module")
def client(demo_server: TritonServer) -> Client:
    return Client(demo_server.grpc_url)


@pytest.fixture(scope="module")
def encoded(client: Client, photographs: list[bytes]) -> Scene:
    return client.encode(photographs, outputs=("points", "camera_poses"))


def assert_same(found: Segmentation, expected: Segmentation) -> None:
    """Up to pixels whose logit is 0 but for rounding."""
    assert found.scores.shape == expected.scores.shape and found.sizes.tolist() == expected.sizes.tolist()
    masks = [mask for masks in found.masks for mask in masks]
    wanted = [mask for masks in expected.masks for mask in masks]
    for one, other in zip(masks, wanted, strict=True):
        assert one.shape == other.shape
        assert (one != other).mean() < 1e-3
    assert np.allclose(found.scores, expected.scores, atol=1e-3)
    assert any(mask.any() for mask in masks), "nothing to compare"


def test_a_click_on_a_scene_is_answered_as_by_the_ensemble(client, encoded, photographs):
    painted = np.zeros((240, 160), bool)
    painted[60:180, 40:120] = True
    prompts = {"points": CLICKS, "boxes": [BOX], "masks": [MaskPrompt(view=2, mask=painted)]}
    expected = client.segment(photographs, **prompts, outputs=("points",))
    assert_same(encoded.segment(**prompts), expected)
    assert len(encoded.id) == 32 and encoded.sizes.tolist() == expected.sizes.tolist()
    assert np.allclose(encoded.extra["points"], expected.extra["points"], atol=1e-4)
    assert encoded.extra["camera_poses"].shape == (4, 4, 4)


def test_prompted_views_come_first_and_every_view_once(encoded):
    views = [part.view for part in encoded.stream(points=[Click(view=2, x=10, y=10)])]
    assert views[0] == 2 and sorted(views) == [0, 1, 2, 3]


def test_an_answer_is_refined_while_the_scene_is_the_same(client, encoded, photographs):
    first = encoded.segment(points=CLICKS)
    assert re.fullmatch("[0-9a-f]{32}", first.answer)
    refined = encoded.segment(points=CLICKS, previous=first.answer)
    assert refined.scores.shape == first.scores.shape and refined.answer != first.answer
    assert not np.array_equal(refined.scores, first.scores)
    assert_same(encoded.segment(points=CLICKS, previous=first.answer), refined)
    with pytest.raises(InvalidRequestError, match="has 2 objects, the prompts have 1"):
        encoded.segment(points=CLICKS[:2], previous=first.answer)
    with client.encode(photographs) as other, pytest.raises(InvalidRequestError, match="leave it out"):
        other.segment(points=CLICKS, previous=first.answer)


def test_the_users_own_geometry(client, photographs, scene: Synthetic):
    geometry = Geometry(scene.points, np.random.default_rng(0).random(scene.points.shape[:3], dtype=np.float32))
    with client.encode(photographs, geometry=geometry) as encoded:
        assert_same(encoded.segment(points=CLICKS), client.segment(photographs, points=CLICKS, geometry=geometry))


@pytest.mark.parametrize("own", [True, False], ids=["own geometry", "estimated geometry"])
def test_photographs_added_and_removed_leave_the_scene_that_remains(client, photographs, scene: Synthetic, own):
    def geometry(views: list[int]) -> Geometry | None:
        return Geometry(scene.points[views], np.ones(scene.points[views].shape[:3], np.float32)) if own else None

    clicks = [Click(view=0, x=100, y=210)]
    with client.encode(photographs[:2], geometry=geometry([0, 1])) as changing:
        name = changing.id
        changing.add(photographs[2:], geometry=geometry([2, 3]))
        with client.encode(photographs, geometry=geometry([0, 1, 2, 3])) as whole:
            assert_same(changing.segment(points=clicks), whole.segment(points=clicks))
        changing.remove([1, 2])
        with client.encode([photographs[0], photographs[3]], geometry=geometry([0, 3])) as rest:
            assert_same(changing.segment(points=clicks), rest.segment(points=clicks))
        assert changing.id == name and changing.sizes.tolist() == [[240, 320], [480, 640]]


def test_a_closed_scene_is_gone_with_a_remedy(client, photographs):
    scene = client.encode(photographs[:1])
    again = client.scene(scene.id)
    assert again.segment(points=[Click(view=0, x=5, y=5)]).masks[0][0].shape == (240, 320)
    scene.close()
    scene.close()
    with pytest.raises(UnknownSceneError, match="encode the photographs again"):
        again.segment(points=[Click(view=0, x=5, y=5)])


def test_a_click_does_not_wait_for_another_scenes_encoding(client, encoded, photographs):
    started, ended = threading.Event(), threading.Event()

    def encode() -> None:
        started.set()
        client.encode(photographs * 6).close()
        ended.set()

    click = [Click(view=0, x=5, y=5)]
    encoded.segment(points=click)
    thread = threading.Thread(target=encode)
    thread.start()
    started.wait()
    time.sleep(0.1)
    answered = 0
    while not ended.is_set() and answered < 3:
        encoded.segment(points=click)
        answered += not ended.is_set()
    thread.join()
    assert answered == 3, "the encoding was over before three clicks were answered"


def test_who_stops_listening_does_no_harm(encoded):
    for _ in range(5):
        next(iter(encoded.stream(points=[Click(view=0, x=5, y=5)])))
    assert len(list(encoded.stream(points=[Click(view=0, x=5, y=5)]))) == 4


def test_a_scene_is_described_to_whoever_has_its_id(client, encoded, photographs):
    found = client.scene(encoded.id)
    found.describe(outputs=("points", "camera_poses"))
    assert found.digests == encoded.digests and found.sizes.tolist() == encoded.sizes.tolist()
    assert np.array_equal(found.statistics, encoded.statistics)
    assert all(np.array_equal(found.extra[name], array) for name, array in encoded.extra.items())
    found.describe(outputs=("points",), views=[2, 0])
    assert np.array_equal(found.extra["points"], encoded.extra["points"][[2, 0]])
    with pytest.raises(InvalidRequestError, match="VIEWS names view"):
        found.describe(views=[len(photographs)])
    found.check(photographs)
    with pytest.raises(InvalidRequestError, match="another order"):
        found.check(photographs[::-1])


def test_a_click_tells_which_photographs_its_masks_are_of(client, photographs):
    with client.encode(photographs[:3]) as scene:
        other = client.scene(scene.id)
        other.remove([0])
        other.add(photographs[:1])
        with pytest.raises(SceneChangedError):
            scene.segment(points=[Click(view=0, x=5, y=5)])
        scene.describe()
        assert len(scene.segment(points=[Click(view=0, x=5, y=5)]).sizes) == 3
        scene.check([*photographs[1:3], photographs[0]])


def request(action: str, **tensors: np.ndarray | None) -> Tensors:
    clicks = {"POINTS": floats([[[4, 3]]]), "POINT_LABELS": integers([[1]]), "POINT_VIEWS": integers([[0]])}
    parts: dict[str, Tensors] = {
        "encode": {"IMAGES": files(PHOTOGRAPH)},
        "segment": {"SCENE": files(b"0" * 32), **clicks},
        "add": {"SCENE": files(b"0" * 32), "IMAGES": files(PHOTOGRAPH)},
        "remove": {"SCENE": files(b"0" * 32), "VIEWS": integers([0])},
        "describe": {"SCENE": files(b"0" * 32)},
        "close": {"SCENE": files(b"0" * 32)},
    }
    return {"ACTION": files(action.encode())} | parts.get(action, {}) | tensors


BAD = {
    "unknown action": (request("destroy"), "INVALID_ARGUMENT", "ACTION is 'destroy'; give encode, segment"),
    "no scene": (request("segment", SCENE=None), "INVALID_ARGUMENT", "SCENE is missing"),
    "unknown scene": (request("segment"), "NOT_FOUND", "SCENE: no scene has this id.*encode the photographs again"),
    "nothing to add to": (request("add"), "NOT_FOUND", "SCENE"),
    "nothing to remove from": (request("remove"), "NOT_FOUND", "SCENE"),
    "nothing to describe": (request("describe"), "NOT_FOUND", "SCENE"),
    "nothing to close": (request("close"), "NOT_FOUND", "SCENE"),
    "no photographs": (request("encode", IMAGES=files()), "INVALID_ARGUMENT", "IMAGES is empty"),
    "no picture": (request("encode", IMAGES=files(b"no picture")), "INVALID_ARGUMENT", "IMAGES: view 0"),
    "half a geometry": (
        request("encode", points=floats(np.zeros((1, 2, 2, 3)))),
        "INVALID_ARGUMENT",
        "points and confidence come together",
    ),
    "broken off": (request("encode", IMAGES=files(PHOTOGRAPH[:-200])), "INVALID_ARGUMENT", "truncated|damaged"),
}


@pytest.mark.parametrize(("tensors", "status", "says"), BAD.values(), ids=BAD.keys())
def test_a_bad_request_is_refused_with_its_status(wire: Wire, tensors, status, says):
    answer = wire.stream("mvsam_scene", tensors, ("SCENE", "MASKS"))
    assert (answer.status, bool(answer.outputs)) == (status, False), answer
    assert re.search(says, answer.message), answer


def test_a_click_on_no_object_is_refused_with_a_remedy(wire: Wire, encoded):
    none = {"POINTS": floats(np.zeros((0, 1, 2))), "POINT_LABELS": integers(np.zeros((0, 1)))}
    tensors = request("segment", SCENE=files(encoded.id.encode()), POINT_VIEWS=integers(np.zeros((0, 1))), **none)
    answer = wire.stream("mvsam_scene", tensors, ("VIEW", "MASKS"))
    assert (answer.status, bool(answer.outputs)) == ("INVALID_ARGUMENT", False), answer
    assert "POINTS holds no object" in answer.message


def test_a_bad_click_among_good_ones_fails_alone(encoded):
    good, bad = [Click(view=0, x=5, y=5)], [Click(view=9, x=5, y=5)]
    results: list[object] = [None] * 6

    def ask(place: int) -> None:
        try:
            results[place] = encoded.segment(points=bad if place == 3 else good)
        except InvalidRequestError as error:
            results[place] = error

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [isinstance(result, InvalidRequestError) for result in results] == [place == 3 for place in range(6)]
