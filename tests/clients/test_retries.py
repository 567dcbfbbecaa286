"""Passing failures are not the user's concern; lasting ones are, and nothing is done twice that must not be."""

import asyncio
import inspect
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from mvsam_client import (
    AsyncClient,
    Click,
    Client,
    DeadlineExceededError,
    Geometry,
    InvalidRequestError,
    MvsamError,
    SceneChangedError,
    ServerBusyError,
    ServerError,
    ServerUnavailableError,
    UnknownAnswerError,
    UnknownSceneError,
    retries,
)
from tests.clients.scenes_stand_in import (
    AFTER_ONE,
    BUSY,
    CHANGED,
    FORGOTTEN,
    GONE,
    NOT_READY,
    UNREACHABLE,
    Scenes,
    scenes_served,
)
from tests.waiting import PATIENCE

PROJECT = Path(__file__).parents[2]
CLICK = [Click(0, 1, 1)]
PHOTOGRAPHS = [b"first", b"second"]


@pytest.fixture
def scenes() -> Iterator[Scenes]:
    with scenes_served() as stand_in:
        yield stand_in


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)


class User:
    """Of the blocking client or of the asynchronous one: `now` waits for either's answers."""

    def __init__(self, kind: Any, loop: asyncio.Runner, scenes: Scenes) -> None:
        self._kind, self._loop, self._scenes = kind, loop, scenes

    def client(self, **options: Any) -> Any:
        return self._kind(self._scenes.url, **options)

    def now(self, answer: Any) -> Any:
        if inspect.isasyncgen(answer):
            answer = collected(answer)
        if inspect.isawaitable(answer):
            return self._loop.run(waited_for(answer))
        return list(answer) if inspect.isgenerator(answer) else answer


async def waited_for(answer: Any) -> Any:
    return await answer


async def collected(parts: Any) -> list[Any]:
    return [part async for part in parts]


@pytest.fixture(params=[Client, AsyncClient])
def user(request, scenes) -> Iterator[User]:
    with asyncio.Runner() as loop:
        yield User(request.param, loop, scenes)


@pytest.mark.parametrize("failure", [BUSY, UNREACHABLE, grpc.StatusCode.CANCELLED])
def test_a_server_that_is_unavailable_for_a_moment_is_asked_again(user, scenes, failure):
    client = user.client()
    scenes.failures = [failure, failure]
    scene = user.now(client.encode(PHOTOGRAPHS))
    scenes.failures = [failure, failure]
    assert len(user.now(scene.segment(points=CLICK)).masks[0]) == 2
    scenes.failures = [UNREACHABLE if failure == BUSY else failure]
    assert user.now(client.segment(PHOTOGRAPHS, points=CLICK)).areas.tolist() == [[3, 3]]
    assert scenes.actions == ["encode"] * 3 + ["segment"] * 3 + ["infer"] * 2


@pytest.mark.parametrize(("allowed", "tried"), [(0, 1), (3, 4)])
def test_it_is_asked_so_often_and_no_more(user, scenes, allowed, tried):
    client = user.client(retries=allowed)
    scene = user.now(client.encode(PHOTOGRAPHS))
    scenes.failures = [BUSY] * 10
    with pytest.raises(ServerBusyError, match="try again in a second"):
        user.now(scene.segment(points=CLICK))
    assert scenes.actions == ["encode"] + ["segment"] * tried
    scenes.failures = [UNREACHABLE] * 10
    with pytest.raises(ServerUnavailableError):
        user.now(client.segment(PHOTOGRAPHS, points=CLICK))
    assert scenes.actions.count("infer") == tried


def test_all_attempts_end_within_the_timeout(user, scenes):
    scene = user.now(user.client(retries=10_000).encode(PHOTOGRAPHS))
    scenes.failures = [BUSY] * 10_000
    began = time.monotonic()
    # The time ends in a pause or while an attempt is on its way.
    with pytest.raises((ServerBusyError, DeadlineExceededError)):
        user.now(scene.segment(points=CLICK, timeout=3))
    assert time.monotonic() - began < PATIENCE and scenes.actions.count("segment") > 3


@pytest.mark.parametrize("status", [grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT])
def test_what_would_fail_again_is_not_repeated(user, scenes, status):
    scene = user.now(user.client().encode(PHOTOGRAPHS))
    scenes.failures = [status]
    with pytest.raises((ServerError, InvalidRequestError)):
        user.now(scene.segment(points=CLICK))
    assert scenes.actions == ["encode", "segment"]


def test_an_answer_of_which_a_part_was_handed_on_is_not_begun_again(user, scenes):
    scene = user.now(user.client().encode(PHOTOGRAPHS))
    scenes.failures = [AFTER_ONE]
    with pytest.raises(ServerUnavailableError, match="the connection is gone"):
        user.now(scene.segment(points=CLICK))
    assert scenes.actions == ["encode", "segment"]


def test_a_lost_scene_is_encoded_again_and_asked_again(user, scenes):
    geometry = Geometry(np.random.default_rng(0).normal(size=(2, 3, 4, 3)))
    scene = user.now(user.client().encode(PHOTOGRAPHS, geometry=geometry))
    first, before = scene.id, user.now(scene.segment(points=CLICK))
    scenes.kept.clear()
    found = user.now(scene.segment(points=CLICK, previous=before.answer))
    assert found.areas.tolist() == [[3, 3]] and scene.id != first and list(scenes.kept) == [scene.id]
    assert scenes.actions == ["encode", "segment", "segment", "encode", "segment"]
    again, repeated = scenes.asked[3][1], scenes.asked[4][1]
    assert again["IMAGES"].tolist() == PHOTOGRAPHS and "SCENE" not in again
    np.testing.assert_array_equal(again["points"], geometry.tensors()["points"])
    assert "PREVIOUS" in scenes.asked[2][1] and "PREVIOUS" not in repeated, "its answers are gone with it"
    assert [part.view for part in user.now(scene.stream(points=CLICK))] == [1, 0]


def test_a_scene_that_was_changed_is_encoded_as_it_was(user, scenes):
    points = np.arange(4 * 6, dtype=np.float32).reshape(4, 1, 2, 3)
    scene = user.now(user.client().encode(PHOTOGRAPHS, geometry=Geometry(points[:2])))
    user.now(scene.add([b"third", b"fourth"], geometry=Geometry(points[2:], valid=np.zeros((2, 1, 2), bool))))
    user.now(scene.remove([1]))
    scenes.kept.clear()
    assert len(user.now(scene.segment(points=CLICK)).masks[0]) == 3
    again = scenes.asked[-2][1]
    assert scenes.actions[-3:] == ["segment", "encode", "segment"]
    assert again["IMAGES"].tolist() == [b"first", b"third", b"fourth"]
    np.testing.assert_array_equal(again["points"], points[[0, 2, 3]])
    assert again["VALID"].all(axis=(1, 2)).tolist() == [True, False, False]


def test_a_lost_scene_is_encoded_again_before_it_is_changed(user, scenes):
    scene = user.now(user.client().encode(PHOTOGRAPHS))
    scenes.kept.clear()
    user.now(scene.add([b"third"]))
    assert scenes.kept[scene.id] == [*PHOTOGRAPHS, b"third"]
    scenes.kept.clear()
    user.now(scene.remove([0]))
    assert scenes.kept[scene.id] == [b"second", b"third"]


def test_a_scene_that_is_lost_at_once_again_is_an_error(user, scenes):
    scene = user.now(user.client().encode(PHOTOGRAPHS))
    scenes.kept.clear()
    scenes.forgetful = True
    with pytest.raises(UnknownSceneError, match="encode the photographs again"):
        user.now(scene.segment(points=CLICK))
    assert scenes.actions == ["encode", "segment", "encode", "segment"]


def test_who_does_not_want_it_or_has_no_photographs_is_told(user, scenes):
    client = user.client(reencode=False)
    scene = user.now(client.encode(PHOTOGRAPHS))
    by_id = user.client().scene(scene.id)
    assert len(user.now(by_id.segment(points=CLICK)).masks[0]) == 2
    scenes.kept.clear()
    for handle in (scene, by_id):
        with pytest.raises(UnknownSceneError):
            user.now(handle.segment(points=CLICK))
    assert scenes.actions.count("encode") == 1


def test_a_closed_scene_stays_closed(user, scenes):
    scene = user.now(user.client().encode(PHOTOGRAPHS))
    user.now(scene.close())
    user.now(scene.close())
    with pytest.raises(UnknownSceneError):
        user.now(scene.segment(points=CLICK))
    assert scenes.actions.count("encode") == 1


def test_who_leaves_does_not_wait_for_a_server_that_is_gone(user, scenes):
    scene = user.now(user.client().encode(PHOTOGRAPHS))
    scenes.failures = [UNREACHABLE] * 5
    with pytest.raises(ServerUnavailableError):
        user.now(scene.close())
    assert scenes.actions == ["encode", "close"]


def test_a_change_is_repeated_only_where_the_server_says_that_it_was_not_made(user, scenes):
    scene = user.now(user.client().encode(PHOTOGRAPHS))
    scenes.failures = [BUSY, NOT_READY]
    user.now(scene.add([b"third"]))
    assert len(scenes.kept[scene.id]) == 3
    for failure, kind in ((UNREACHABLE, ServerUnavailableError), (CHANGED, SceneChangedError)):
        scenes.failures = [failure]
        with pytest.raises(kind):
            user.now(scene.remove([0]))
        assert len(scenes.kept[scene.id]) == 3
    assert scenes.actions == ["encode", "add", "add", "add", "remove", "remove"]


def test_an_answer_that_is_not_kept_has_an_error_of_its_own(user, scenes):
    scene = user.now(user.client().encode(PHOTOGRAPHS))
    scenes.failures = [FORGOTTEN]
    with pytest.raises(UnknownAnswerError, match="leave it out"):
        user.now(scene.segment(points=CLICK, previous="0" * 32))


def test_who_never_answered_is_not_waited_for(user, monkeypatch):
    monkeypatch.setattr(retries, "FIRST_PAUSE", 60)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        user._scenes.url = f"127.0.0.1:{unused.getsockname()[1]}"
        client, began = user.client(), time.monotonic()
        by_id = client.scene("0" * 32)
        for ask in (
            lambda: client.encode([b"x"]),
            lambda: client.segment([b"x"], points=CLICK),
            lambda: by_id.segment(points=CLICK),
        ):
            with pytest.raises(ServerUnavailableError, match="make serve"):
                user.now(ask())
        assert time.monotonic() - began < 15


def test_threads_that_find_a_scene_lost_have_it_encoded_once(scenes):
    client = Client(scenes.url)
    scene = client.encode(PHOTOGRAPHS)
    scenes.kept.clear()
    errors: list[MvsamError] = []

    def ask() -> None:
        try:
            scene.segment(points=CLICK)
        except MvsamError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and scenes.actions.count("encode") == 2


def test_tasks_that_find_a_scene_lost_have_it_encoded_once(scenes):
    async def ask() -> None:
        async with AsyncClient(scenes.url) as client, await client.encode(PHOTOGRAPHS) as scene:
            scenes.kept.clear()
            found = await asyncio.gather(*(scene.segment(points=CLICK) for _ in range(6)))
            assert len(found) == 6

    asyncio.run(ask())
    assert scenes.actions.count("encode") == 2 and not scenes.kept, "the block closes it"


def test_to_cancel_a_task_or_to_stop_listening_cancels_the_call(scenes):
    async def cancel_task(scene) -> None:
        task = asyncio.create_task(scene.segment(points=CLICK))
        while scenes.actions[-1] != "segment":
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def stop_listening(scene) -> None:
        async for part in scene.stream(points=CLICK):
            assert part.view == 1
            break

    async def ask() -> None:
        async with AsyncClient(scenes.url) as client:
            scene = await client.encode(PHOTOGRAPHS)
            for stop in (cancel_task, stop_listening):
                scenes.asked.clear()
                scenes.asked.append(("", {}))
                scenes.ended.clear()
                scenes.wait = threading.Event()
                await stop(scene)
                assert await asyncio.to_thread(scenes.ended.wait, PATIENCE), stop.__name__
                scenes.wait.set()

    asyncio.run(ask())


def test_retries_below_none_are_refused():
    with pytest.raises(InvalidRequestError, match="retries: -1 is no whole number from 0"):
        Client(retries=-1)


@pytest.mark.parametrize("message", [GONE, BUSY, CHANGED, FORGOTTEN])
def test_the_stand_in_speaks_as_the_server_does(message):
    """Its sentences decide what is repeated, so they must be the server's."""
    sources = "".join(path.read_text() for path in (PROJECT / "mvsam" / "scenes").glob("*.py"))
    beginning = message.split(": ", 1)[1].removeprefix("64 ").split(",")[0].split(";")[0]
    assert beginning in sources
