"""The asynchronous client against the real server: the same answers, and nothing goes on for who has left."""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from mvsam_client import AsyncClient, Click, InvalidRequestError, UnknownSceneError
from server.trials.running import Served
from tests.clients.live.conftest import HEIGHT, INSIDE, VIEWS, WIDTH
from tests.waiting import wait_until

CLICK = [Click(2, 80, 60)]


def run(service: Served, use: Callable[[AsyncClient], Awaitable[None]]) -> None:
    async def used() -> None:
        async with AsyncClient(service.grpc_url) as client:
            await use(client)

    asyncio.run(used())


async def nobody_inside(service: Served) -> None:
    await asyncio.to_thread(wait_until, lambda: service.metric(INSIDE) == 0)


async def somebody_inside(service: Served) -> None:
    await asyncio.to_thread(wait_until, lambda: service.metric(INSIDE) > 0)


async def parts_of_the_last(service: Served, action: str) -> int:
    """Responses to the last request, each of a view or several, as the log says once nobody is inside."""
    await nobody_inside(service)
    told = [
        json.loads(line[line.index("{") :]) for line in service.log().splitlines() if f'"action": "{action}"' in line
    ]
    return told[-1]["parts"]


def test_it_answers_as_the_blocking_client_does(service, client, encoded, photographs):
    expected = encoded.segment(points=CLICK)
    whole = client.segment(photographs, points=CLICK)

    async def use(asynchronous: AsyncClient) -> None:
        assert (await asynchronous.server()) == client.server
        async with await asynchronous.encode(photographs) as scene:
            found = await scene.segment(points=CLICK)
            assert (found.array() != expected.array()).mean() < 1e-3 and expected.array().any()
            np.testing.assert_allclose(found.scores, expected.scores, atol=1e-3)
            assert scene.sizes is not None and scene.sizes.tolist() == [[HEIGHT, WIDTH]] * VIEWS
            refined = await scene.segment(points=CLICK, previous=found.answer)
            assert refined.answer != found.answer and not np.array_equal(refined.scores, found.scores)
            await scene.remove([0])
            await scene.add(photographs[:1])
            assert len((await scene.segment(points=CLICK)).masks[0]) == VIEWS
        both = await asyncio.gather(*(asynchronous.segment(photographs, points=CLICK) for _ in range(2)))
        for found in both:
            assert (found.array() != whole.array()).mean() < 1e-3

    run(service, use)


def test_views_stream_prompted_ones_first(service, encoded):
    async def use(asynchronous: AsyncClient) -> None:
        scene = asynchronous.scene(encoded.id)
        views = [part.view async for part in scene.stream(points=[[80, 60]], view=4)]
        assert views[0] == 4 and sorted(views) == list(range(VIEWS))

    run(service, use)


def test_many_clicks_at_once_are_all_answered_each_its_own(service, encoded):
    clicks = [(20 + 20 * i, 60) for i in range(6)]
    expected = [encoded.segment(points=[click]) for click in clicks]

    async def use(asynchronous: AsyncClient) -> None:
        scene = asynchronous.scene(encoded.id)
        found = await asyncio.gather(*(scene.segment(points=[click]) for click in clicks))
        for mine, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine.scores, theirs.scores, atol=1e-3)

    run(service, use)


def test_errors_are_the_same(service, encoded, lose):
    async def use(asynchronous: AsyncClient) -> None:
        with pytest.raises(UnknownSceneError, match="encode the photographs again"):
            await asynchronous.scene("0" * 32).segment(points=CLICK)
        with pytest.raises(InvalidRequestError, match="outside view 0"):
            await asynchronous.scene(encoded.id).segment(points=[[5000, 1]])
        with pytest.raises(InvalidRequestError, match="HOST:PORT"):
            AsyncClient("http://127.0.0.1:8000")

    run(service, use)


def test_a_lost_scene_is_encoded_again(service, photographs, lose):
    async def use(asynchronous: AsyncClient) -> None:
        async with await asynchronous.encode(photographs[:2]) as scene:
            lost = scene.id
            await asyncio.to_thread(lose, lost)
            assert len((await scene.segment(points=[[80, 60]])).masks[0]) == 2 and scene.id != lost

    run(service, use)


def test_who_cancels_an_encoding_ends_it(service, photographs):
    many = photographs * 5

    async def use(asynchronous: AsyncClient) -> None:
        await (await asynchronous.encode(many)).close()
        assert await parts_of_the_last(service, "encode") == 1
        task = asyncio.create_task(asynchronous.encode(many))
        await somebody_inside(service)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await parts_of_the_last(service, "encode") == 0, "encoded to the end"

    run(service, use)


def test_who_stops_listening_ends_the_rest_of_an_answer(service, photographs):
    points = [Click(0, 10 + 2 * i, 60, object=i) for i in range(40)]

    async def use(asynchronous: AsyncClient) -> None:
        async with await asynchronous.encode(photographs * 4) as scene:
            began = time.monotonic()
            await scene.segment(points=points)
            seconds = time.monotonic() - began
            whole = await parts_of_the_last(service, "segment")
            async with contextlib.aclosing(scene.stream(points=points)) as parts:
                async for _ in parts:
                    break
            assert await parts_of_the_last(service, "segment") < whole / 2
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(scene.segment(points=points), seconds / 20)
            assert await parts_of_the_last(service, "segment") < whole / 2

    run(service, use)
