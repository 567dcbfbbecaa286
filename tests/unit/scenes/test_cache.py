"""Which scenes stay, and which go."""

from types import SimpleNamespace
from typing import Any

import pytest

from mvsam.pipeline.errors import BusyError, RequestError, UnknownSceneError
from mvsam.scenes.cache import SceneCache

ME, OTHER = "me", "other"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> SceneCache:
    return SceneCache(max_bytes=100, max_scenes=3, ttl=10, clock=clock)


def scene(size: int) -> Any:
    return SimpleNamespace(bytes=size)


def put(cache: SceneCache, size: int, owner: str = ME) -> str:
    return cache.put(scene(size), cache.reserve(size, owner), owner)


def held(cache: SceneCache, *names: str) -> list[bool]:
    """Which of them are there, without making them used of late."""
    return [name in cache._entries for name in names]


def test_ids_are_random_and_of_128_bits(cache):
    names = {put(cache, 1) for _ in range(50)}
    assert len(names) == 50
    assert all(len(name) == 32 and int(name, 16) >= 0 for name in names)


def test_the_least_recently_used_goes_first(cache):
    first, second = put(cache, 40), put(cache, 40)
    cache.pin(first, ME).release()
    third = put(cache, 40)
    assert held(cache, first, second, third) == [True, False, True]
    assert (cache.counts.evictions, cache.bytes, len(cache)) == (1, 80, 2)


def test_number_is_bounded_too(cache):
    names = [put(cache, 1) for _ in range(4)]
    assert held(cache, *names) == [False, True, True, True]


def test_a_scene_in_use_stays(cache):
    first, second = put(cache, 50), put(cache, 50)
    with cache.pin(first, ME) as used:
        put(cache, 50)
        assert held(cache, first, second) == [True, False]
        with pytest.raises(BusyError, match="in use; try again"):
            put(cache, 60)
        assert used.bytes == 50
    put(cache, 60)
    assert held(cache, first) == [False]


def test_what_cannot_fit_evicts_nothing(cache):
    first, second = put(cache, 50), put(cache, 50)
    with cache.pin(second, ME), pytest.raises(BusyError):
        cache.reserve(80, ME)
    assert held(cache, first, second) == [True, True]


def test_a_scene_larger_than_all_memory_is_the_requests_fault(cache):
    with pytest.raises(RequestError, match=r"IMAGES: the scene would take 0 MB.*send fewer"):
        cache.reserve(101, ME)


def test_reservations_count_until_used_or_cancelled(cache):
    ticket = cache.reserve(70, ME)
    with pytest.raises(BusyError):
        cache.reserve(40, ME)
    cache.cancel(ticket)
    cache.cancel(ticket)
    other = cache.reserve(100, ME)
    name = cache.put(scene(60), other, ME)
    assert cache.bytes == 60
    cache.reserve(40, ME)
    assert held(cache, name) == [True]


def test_reservations_count_as_scenes_too(cache):
    for _ in range(3):
        cache.reserve(1, ME)
    with pytest.raises(BusyError):
        cache.reserve(1, ME)


def test_unused_scenes_expire(cache, clock):
    old, used, pinned = put(cache, 1), put(cache, 1), put(cache, 1)
    pin = cache.pin(pinned, ME)
    clock.now = 8
    cache.pin(used, ME).release()
    clock.now = 11
    cache.sweep()
    assert held(cache, old, used, pinned) == [False, True, True]
    assert cache.counts.expirations == 1
    pin.release()
    clock.now = 20
    cache.sweep()
    assert held(cache, used, pinned) == [False, True], "the end of its use is a use"
    with pytest.raises(UnknownSceneError, match=r"SCENE: .*encode the photographs again"):
        cache.pin(used, ME)


def test_a_closed_scene_is_unknown_but_whoever_uses_it_goes_on(cache):
    name = put(cache, 30)
    with cache.pin(name, ME) as used:
        cache.close(name, ME)
        assert used.bytes == 30
    for ask in (cache.pin, cache.close):
        with pytest.raises(UnknownSceneError):
            ask(name, ME)
    assert (cache.counts.hits, cache.counts.misses) == (2, 2)


def test_a_replaced_scene_keeps_its_id_and_is_not_evicted_for_its_successor(cache):
    name, other = put(cache, 40), put(cache, 40)
    with cache.pin(name, ME) as old:
        pass
    with cache.pin(other, ME):
        pass
    successor = scene(70)
    cache.replace(name, old, successor, cache.reserve(10, ME), ME)
    assert cache.pin(name, ME).scene is successor
    assert held(cache, name, other) == [True, False]
    with pytest.raises(UnknownSceneError):
        cache.replace("0" * 32, old, successor, cache.reserve(0, ME), ME)
    with pytest.raises(BusyError, match="another request has changed the scene"):
        cache.replace(name, old, scene(1), cache.reserve(1, ME), ME)


def test_anothers_scene_is_unknown_in_the_same_words(cache):
    name = put(cache, 30)
    for ask in (cache.pin, cache.close):
        with pytest.raises(UnknownSceneError) as of_another:
            ask(name, OTHER)
        with pytest.raises(UnknownSceneError) as of_none:
            ask("0" * 32, OTHER)
        assert str(of_another.value) == str(of_none.value)
    with pytest.raises(UnknownSceneError):
        cache.replace(name, cache.pin(name, ME).scene, scene(1), cache.reserve(1, OTHER), OTHER)
    assert held(cache, name) == [True]


def test_room_is_made_by_who_holds_most(cache):
    mine = put(cache, 10)
    theirs = [put(cache, 10, OTHER), put(cache, 10, OTHER)]
    theirs.append(put(cache, 10, OTHER))  # a fourth scene of three
    assert held(cache, mine, *theirs) == [True, False, True, True], "many small scenes push out their own"
    more = put(cache, 10)
    assert held(cache, mine, more, *theirs) == [False, True, False, True, True], "as do those who would have as many"


def test_whose_scene_was_used_last_matters_less_than_who_holds_most(cache):
    mine = put(cache, 30)
    theirs = [put(cache, 25, OTHER), put(cache, 25, OTHER)]
    put(cache, 30, "third")
    assert held(cache, mine, *theirs) == [True, False, True]


def test_of_equals_the_newcomer_makes_room_for_itself(cache):
    theirs, mine = put(cache, 60, OTHER), put(cache, 30)
    put(cache, 30)
    assert held(cache, theirs, mine) == [True, False]


def test_nobody_is_pushed_out_by_who_holds_more(cache):
    mine = put(cache, 40)
    with pytest.raises(BusyError):
        cache.reserve(90, OTHER)
    assert held(cache, mine) == [True]


def test_who_is_alone_may_have_all(cache):
    first, second = put(cache, 50), put(cache, 50)
    assert held(cache, first, second) == [True, True] and cache.bytes == 100
