"""Places that wait for their turn: none is lost, whoever leaves and whenever."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from server.turns import Turns


def run(act: Callable[[Turns], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(30):
            await act(Turns(1))

    asyncio.run(limited())


async def hold(turns: Turns, owner: str, done: asyncio.Event, come: list[str]) -> None:
    async with turns.turn(owner):
        come.append(owner)
        await done.wait()


@pytest.mark.parametrize("is_just_coming", [False, True])
def test_the_place_of_who_leaves_goes_to_the_next(is_just_coming: bool):
    async def act(turns: Turns) -> None:
        come, done = list[str](), asyncio.Event()
        done.set()
        async with turns.turn("a"):
            leaving, last = (asyncio.create_task(hold(turns, owner, done, come)) for owner in "bc")
            await asyncio.sleep(0)  # both wait
            if not is_just_coming:
                leaving.cancel()
        if is_just_coming:  # its turn has come, and it has not run since
            leaving.cancel()
        await last
        assert come == ["c"]

    run(act)


def test_who_fails_gives_its_place_back():
    async def act(turns: Turns) -> None:
        with pytest.raises(ZeroDivisionError):
            async with turns.turn("a"):
                raise ZeroDivisionError
        async with turns.turn("b"):
            pass

    run(act)
