"""What a user may get wrong in a call is a typed error with a remedy, or does what was meant."""

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mvsam_client as mv
from mvsam_client import sources
from mvsam_client.address import Address
from mvsam_client.prompts import prompt_tensors
from mvsam_client.sam2 import SAM2VideoPredictor
from tests.clients.scenes_stand_in import Scenes, scenes_served

NO_TIMES = (-1, 0, float("nan"), "5", "soon", True, [5], 1j)
CLICK: Any = {"points": [[1, 1]]}
PICTURES = [np.zeros((4, 6, 3), np.uint8)] * 2


def anything(value: Any) -> Any:
    return value


@pytest.fixture
def scenes() -> Iterator[Scenes]:
    with scenes_served() as scenes:
        yield scenes


@pytest.fixture(scope="module")
def photographs() -> list[bytes]:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4)).save(buffer, "PNG")
    return [buffer.getvalue()] * 2


@pytest.mark.parametrize("timeout", [None, float("inf"), 1e10, 1e300, 10**400, np.float32(60), 1])
def test_to_wait_without_end_or_very_long_is_possible(scenes, photographs, timeout):
    with mv.Client(scenes.url) as client, client.encode(photographs, timeout=timeout) as scene:
        assert len(scene.segment(**CLICK, timeout=timeout).sizes) == 2
        assert len(list(scene.stream(**CLICK, timeout=timeout))) == 2
        scene.add(photographs, timeout=timeout)
        scene.remove([0], timeout=timeout)
        scene.describe(timeout=timeout)
        client.segment(photographs, **CLICK, timeout=timeout)
        assert len(mv.Annotator(scene).segment(timeout=timeout)) == 0

    async def asked() -> None:
        async with mv.AsyncClient(scenes.url) as client, await client.encode(photographs, timeout=timeout) as scene:
            assert len((await scene.segment(**CLICK, timeout=timeout)).sizes) == 2

    asyncio.run(asked())


@pytest.mark.parametrize("timeout", NO_TIMES, ids=repr)
def test_a_timeout_that_is_none_is_refused_at_the_call(scenes, photographs, timeout):
    with mv.Client(scenes.url) as client, client.encode(photographs) as scene:
        asked = len(scenes.asked)
        for call in (
            lambda: client.segment(photographs, **CLICK, timeout=timeout),
            lambda: client.encode(photographs, timeout=timeout),
            lambda: scene.segment(**CLICK, timeout=timeout),
            lambda: scene.stream(**CLICK, timeout=timeout),
            lambda: scene.add(photographs, timeout=timeout),
            lambda: scene.remove([0], timeout=timeout),
            lambda: scene.describe(timeout=timeout),
        ):
            with pytest.raises(mv.InvalidRequestError, match=r"timeout: .* is no time; give seconds above 0, or None"):
                call()
        assert len(scenes.asked) == asked, "nothing was sent"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda client, scene: client.segment(PICTURES, outputs="points", **CLICK), "outputs: 'points' is no list"),
        (lambda client, scene: client.encode(PICTURES, outputs="points"), "outputs: 'points' is no list"),
        (lambda client, scene: scene.describe(outputs="points"), r"outputs: 'points' is no list of names"),
        (lambda client, scene: scene.describe(outputs=[3]), "is no list of names"),
        (lambda client, scene: scene.remove(["0"]), r"views: \['0'\] are none; give a list"),
        (lambda client, scene: scene.remove([1.5]), "give a list of whole numbers"),
        (lambda client, scene: scene.remove([1 << 40]), "give a list of whole numbers"),
        (lambda client, scene: scene.remove(1), "give a list of whole numbers"),
        (lambda client, scene: client.scene(None), "scene: None is no id; give the text"),
        (lambda client, scene: client.scene(scene), "is no id"),
        (lambda client, scene: mv.Client(client.url, retries=anything("8")), "retries: '8' is no whole number"),
        (lambda client, scene: mv.Client(client.url, retries=anything(1.5)), "retries: 1.5 is no whole number"),
    ],
)
def test_what_is_of_another_type_is_refused_in_words(scenes, photographs, call, message):
    with (
        mv.Client(scenes.url) as client,
        client.encode(photographs) as scene,
        pytest.raises(mv.InvalidRequestError, match=message),
    ):
        call(client, scene)


def test_previous_may_be_the_result_itself(scenes, photographs):
    with mv.Client(scenes.url) as client, client.encode(photographs) as scene:
        first = scene.segment(**CLICK)
        *_, last = scene.stream(**CLICK)
        for previous in (first.answer, first, last):
            scene.segment(**CLICK, previous=previous)
            assert scenes.asked[-1][1]["PREVIOUS"].tolist() == [b"f" * 32]
        with pytest.raises(mv.InvalidRequestError, match=r"does not keep these masks; refine those of `Scene.segment`"):
            scene.segment(**CLICK, previous=client.segment(photographs, **CLICK))
        no_answers: list[Any] = [None, 3, first.masks]
        for wrong in no_answers:
            with pytest.raises(mv.InvalidRequestError, match="is no answer; give the `answer` of a segmentation"):
                scene.stream(**CLICK, previous=wrong)


def test_a_closed_client_and_its_scenes_say_so(scenes, photographs):
    with mv.Client(scenes.url) as client:
        scene = client.encode(photographs)
        predictor = SAM2VideoPredictor(client)
        state = predictor.init_state(photographs)
    annotator = mv.Annotator(scene)
    annotator.add_click(0, 1, 1)
    for call in (
        lambda: client.server,
        lambda: client.segment(photographs, **CLICK),
        lambda: client.encode(photographs),
        lambda: scene.segment(**CLICK),
        lambda: list(scene.stream(**CLICK)),
        lambda: scene.close(),
        lambda: client.scene(scene.id).describe(),
        lambda: annotator.segment(),
        lambda: predictor.add_new_points_or_box(state, 0, 1, [[1, 1]], [1]),
    ):
        with pytest.raises(mv.InvalidRequestError, match="the client is closed; make another"):
            call()


def test_a_closed_asynchronous_client_says_so(scenes, photographs):
    async def asked() -> None:
        async with mv.AsyncClient(scenes.url) as client:
            scene = await client.encode(photographs)
        for call in (client.server, lambda: client.encode(photographs), lambda: scene.segment(**CLICK)):
            with pytest.raises(mv.InvalidRequestError, match="the client is closed; make another"):
                await call()
        with pytest.raises(mv.InvalidRequestError, match="the client is closed"):
            _ = [part async for part in scene.stream(**CLICK)]
        await client.close()

    asyncio.run(asked())


def test_an_asynchronous_client_and_its_scenes_go_on_in_another_event_loop(scenes, photographs):
    client = mv.AsyncClient(scenes.url)
    scene = asyncio.run(client.encode(photographs))

    async def at_once() -> int:
        results = await asyncio.gather(*(scene.segment(**CLICK) for _ in range(3)))
        return sum(len(result.sizes) for result in results)

    assert asyncio.run(at_once()) == 6
    scenes.kept.clear()  # lost: encoded again, one for all
    assert asyncio.run(at_once()) == 6
    scenes.kept.clear()
    assert asyncio.run(at_once()) == 6
    asyncio.run(client.close())
    with pytest.raises(mv.InvalidRequestError, match="the client is closed"):
        asyncio.run(client.encode(photographs))


def test_what_is_printed_is_one_short_line_without_secrets(scenes, photographs):
    with mv.Client(scenes.url, token="secret") as client, client.encode(photographs) as scene:
        result = scene.segment(**CLICK)
        *_, part = scene.stream(**CLICK)
        cloud = mv.PointCloud(np.zeros((900, 3), np.float32), np.zeros((900, 3), np.uint8))
        assert repr(client) == f"Client('{scenes.url}')"
        assert repr(scene) == f"Scene('{scene.id}', 2 views)"
        assert "2" in repr(result) and result.answer in repr(result)
        shown = [client, scene, result, part, cloud, mv.Annotator(scene), mv.AsyncClient(scenes.url, token="secret")]
        shown += [client.scene("0" * 32), Address(scenes.url, token="secret"), mv.Photograph("a.jpg", bytes(5000))]
        annotator = mv.Annotator(scene)
        for object_id in range(300):
            annotator.add_click(0, 1, 1, object_id=object_id)
        assert repr(annotator).startswith(f"Annotator({scene!r}, object_ids=(0, 1, ")
        shown += [
            annotator,
            mv.AnnotatedView(0, {3: result.masks[0][0]}, {3: 0.5}),
            mv.Geometry(np.zeros((2, 30, 40, 3))),
        ]
        shown += [mv.MaskPrompt(0, np.zeros((400, 300), bool)), SAM2VideoPredictor(client).init_state(photographs)]
    for each in shown:
        assert "\n" not in repr(each) and len(repr(each)) < 160 and "secret" not in repr(each), repr(each)


@pytest.mark.parametrize("view", [2**32 + 1, -(2**32), 2**70, 1.9, "1", None])
@pytest.mark.parametrize("kind", ["click", "box", "mask"])
def test_what_is_no_view_never_becomes_another_view(view: Any, kind: str):
    prompt = {
        "click": {"points": [mv.Click(view, 1, 1)]},
        "box": {"boxes": [mv.Box(view, 0, 0, 2, 2)]},
        "mask": {"masks": [mv.MaskPrompt(view, np.ones((4, 6), bool))]},
    }[kind]
    with pytest.raises(mv.InvalidRequestError, match="is no view; views are whole numbers from 0"):
        prompt_tensors(**({"points": [], "boxes": [], "masks": []} | prompt))


@pytest.mark.parametrize("x", ["abc", None, [1]])
def test_coordinates_are_numbers(x: Any):
    with pytest.raises(mv.InvalidRequestError, match="give a number of pixels"):
        prompt_tensors([mv.Click(0, x, 5)], [], [])


def test_an_empty_path_is_not_the_current_folder():
    with pytest.raises(mv.InvalidRequestError, match="the path is empty; name a folder"):
        sources.photographs("")
