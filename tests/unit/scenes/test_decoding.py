"""Clicks that share a decoder: none sees another, and none waits for ever."""

import threading
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mvsam.pipeline.errors import BusyError
from mvsam.pipeline.normalization import NormalizedPrompts
from mvsam.scenes.decoding import Click, Decoder
from tests.waiting import PATIENCE, wait_until

VIEWS, SIDE = 6, 4


@dataclass
class Asked:
    """One click and what it was answered."""

    value: float
    objects: int = 1
    points: int = 1
    masks: int = 0
    first: frozenset[int] = frozenset()
    cancelled: bool = False
    unanswerable: bool = False
    answers: dict[int, float] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    objects_done: dict[int, int] = field(default_factory=dict)
    errors: list[Exception | None] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def click(self, scene: Any, **options: Any) -> Click:
        return Click(scene, self.prompts(), self.first, self.deliver, self.finish, lambda: self.cancelled, **options)

    def prompts(self) -> NormalizedPrompts:
        index = np.zeros((self.objects, VIEWS), np.int32)
        index[0, : self.masks] = np.arange(1, self.masks + 1)
        masks = np.full((self.masks + 1, 1, SIDE, SIDE), self.value, np.float32)
        masks[0] = 0
        return NormalizedPrompts(
            np.full((self.objects, self.points, 3), self.value, np.float32),
            np.ones((self.objects, self.points), bool),
            np.ones((self.objects, self.points), np.int32),
            masks,
            index,
        )

    def deliver(self, views: slice, objects: slice, logits: np.ndarray) -> None:
        if self.unanswerable:
            raise ZeroDivisionError
        assert len(logits) == objects.stop - objects.start
        for place, view in enumerate(range(views.start, views.stop)):
            self.objects_done[view] = self.objects_done.get(view, 0) + len(logits)
            self.answers[view] = float(logits[:, place].mean())
            if self.objects_done[view] == self.objects:
                self.order.append(view)

    def finish(self, error: Exception | None) -> None:
        self.errors.append(error)
        self.done.set()


@dataclass
class Blocking(Asked):
    """One whose masks are finished when they may be."""

    begun: threading.Event = field(default_factory=threading.Event)
    let: threading.Event = field(default_factory=threading.Event)

    def deliver(self, views: slice, objects: slice, logits: np.ndarray) -> None:
        self.begun.set()
        self.let.wait(PATIENCE)
        super().deliver(views, objects, logits)


class Session:
    """Answers value + view, and remembers how many objects and views each call had; waits while `gate` is closed."""

    types: dict[str, np.dtype] = {}  # noqa: RUF012

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.begun = 0

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.begun += 1
        self.gate.wait(PATIENCE)
        if self.error:
            error, self.error = self.error, None
            raise error
        values, views = inputs["prompt_points"][:, 0, 0], inputs["feature"]
        self.calls.append((len(values), len(views)))
        assert inputs["mask_index"].shape == (len(values), len(views))
        return {"mask_logits": (values[:, None] + views[None])[..., None, None] * np.ones((SIDE, SIDE))}


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def decoder(session: Session):
    decoder = Decoder(session, threads=1, most_masks=4, most_objects=8, most_waiting=3, patience=PATIENCE)
    yield decoder
    session.gate.set()
    decoder.close()


@pytest.fixture
def scene() -> Any:
    return SimpleNamespace(views=VIEWS, largest=100, features={"feature": np.arange(VIEWS) * 100.0})


def expected(asked: Asked) -> dict[int, float]:
    return {view: asked.value + 100.0 * view for view in range(VIEWS)}


def test_prompted_views_are_delivered_first(decoder, scene):
    asked = Asked(7, first=frozenset({3, 5}))
    decoder.submit(asked.click(scene))
    assert asked.done.wait(PATIENCE)
    assert asked.order == [3, 5, 0, 1, 2, 4]
    assert asked.answers == expected(asked) and asked.errors == [None]


def test_several_threads_share_the_views_of_a_click(session, scene):
    decoder = Decoder(session, threads=3, most_masks=1, most_objects=8, most_waiting=30, patience=PATIENCE)
    several = [Asked(value) for value in range(20)]
    for asked in several:
        decoder.submit(asked.click(scene))
    assert all(asked.done.wait(PATIENCE) for asked in several)
    decoder.close()
    for asked in several:
        assert asked.answers == expected(asked) and asked.errors == [None]
        assert sorted(asked.order) == list(range(VIEWS))


def test_no_other_view_is_begun_before_the_first_are_done(session, scene):
    decoder = Decoder(session, threads=3, most_masks=1, most_objects=8, most_waiting=30, patience=PATIENCE)
    session.gate.clear()
    asked = Asked(1, first=frozenset({2, 4}))
    decoder.submit(asked.click(scene))
    wait_until(lambda: session.begun >= 2)
    time.sleep(0.1)  # for one more, if it were to begin
    assert session.begun == 2
    session.gate.set()
    assert asked.done.wait(PATIENCE)
    decoder.close()
    assert set(asked.order[:2]) == {2, 4} and asked.answers == expected(asked)


def test_waiting_clicks_on_one_scene_share_a_call(decoder, session, scene):
    session.gate.clear()
    blocking = Asked(1)
    decoder.submit(blocking.click(scene))
    while decoder.waiting:
        time.sleep(0.001)
    together = [Asked(10, points=3, masks=2, objects=2), Asked(20, masks=1), Asked(30, points=2)]
    for asked in together:
        decoder.submit(asked.click(scene))
    session.gate.set()
    for asked in (blocking, *together):
        assert asked.done.wait(PATIENCE)
        assert asked.answers == expected(asked) and asked.errors == [None]
    assert session.calls[-VIEWS:] == [(4, 1)] * VIEWS


def test_clicks_on_other_scenes_do_not(decoder, session, scene):
    session.gate.clear()
    other = SimpleNamespace(views=VIEWS, largest=100, features={"feature": np.arange(VIEWS) * 100.0})
    several = [Asked(1), Asked(2), Asked(3)]
    for asked, where in zip(several, (scene, other, scene), strict=True):
        decoder.submit(asked.click(where))
    session.gate.set()
    assert all(asked.done.wait(PATIENCE) and asked.answers == expected(asked) for asked in several)
    assert max(objects for objects, _ in session.calls) <= 2


def test_nothing_is_computed_for_those_who_left(decoder, session, scene):
    asked = Asked(1, cancelled=True)
    decoder.submit(asked.click(scene))
    assert asked.done.wait(PATIENCE)
    assert asked.answers == {} and session.calls == []


def test_a_long_line_is_refused_and_a_long_wait_ends(decoder, session, scene):
    session.gate.clear()
    decoder.submit(Asked(0).click(scene))
    while decoder.waiting:
        time.sleep(0.001)
    waiting = [Asked(1), Asked(2), Asked(3)]
    for asked in waiting:
        decoder.submit(asked.click(scene, since=time.monotonic() - (2 * PATIENCE if asked.value == 2 else 0)))
    with pytest.raises(BusyError, match="3 clicks are waiting already; try again"):
        decoder.submit(Asked(4).click(scene))
    session.gate.set()
    assert all(asked.done.wait(PATIENCE) for asked in waiting)
    assert [bool(asked.answers) for asked in waiting] == [True, False, True]
    assert isinstance(waiting[1].errors[0], BusyError) and len(waiting[1].errors) == 1


def test_whoever_has_waited_for_too_long_is_told_so(decoder):
    decoder.check_patience(time.monotonic() - PATIENCE / 2)
    with pytest.raises(BusyError, match=f"waited for {PATIENCE} s; try again"):
        decoder.check_patience(time.monotonic() - PATIENCE - 1)


def test_a_click_that_cannot_be_answered_spoils_no_other_of_its_call(decoder, session, scene):
    session.gate.clear()
    decoder.submit(Asked(0).click(scene))
    while decoder.waiting:
        time.sleep(0.001)
    good, bad = Asked(1), Asked(2, unanswerable=True)
    for asked in (bad, good):
        decoder.submit(asked.click(scene))
    session.gate.set()
    assert good.done.wait(PATIENCE) and bad.done.wait(PATIENCE)
    assert good.answers == expected(good) and good.errors == [None]
    assert [type(error) for error in bad.errors] == [ZeroDivisionError]


def test_a_failure_ends_its_clicks_and_no_others(decoder, session, scene):
    session.error = RuntimeError("out of order")
    failed, after = Asked(1), Asked(2)
    decoder.submit(failed.click(scene))
    assert failed.done.wait(PATIENCE)
    decoder.submit(after.click(scene))
    assert after.done.wait(PATIENCE)
    assert [str(error) for error in failed.errors] == ["out of order"]
    assert after.answers == expected(after)


def test_who_asks_for_thousands_of_masks_holds_nobody_elses_click(decoder, session, scene):
    session.gate.clear()
    large, click = Asked(1, objects=40), Asked(2)
    decoder.submit(large.click(scene, owner="a"))
    wait_until(lambda: session.begun)
    decoder.submit(click.click(scene, owner="b"))
    session.gate.set()
    assert click.done.wait(PATIENCE) and large.done.wait(PATIENCE)
    assert click.answers == expected(click) and large.answers == expected(large)
    assert max(objects * views for objects, views in session.calls) <= 4, "a call is short"
    alone = [place for place, (objects, _) in enumerate(session.calls) if objects == 1]
    assert alone[-1] <= 2 * len(alone), "they take turns"


def test_nor_their_own_colleagues(decoder, session, scene):
    session.gate.clear()
    large, click = Asked(1, objects=50), Asked(2)  # more than LARGE masks
    decoder.submit(large.click(scene))
    wait_until(lambda: session.begun)
    decoder.submit(click.click(scene))
    session.gate.set()
    assert click.done.wait(PATIENCE) and large.done.wait(PATIENCE)
    assert click.answers == expected(click) and large.answers == expected(large)
    alone = [place for place, (objects, _) in enumerate(session.calls) if objects == 1]
    assert alone[-1] <= 2 * len(alone), "they take turns"


def test_masks_of_large_photographs_are_finished_a_few_at_a_time(decoder, session, scene):
    scene.largest = 40_000_000
    asked = Asked(1, objects=3)
    decoder.submit(asked.click(scene))
    assert asked.done.wait(PATIENCE)
    assert session.calls == [(1, 1)] * 3 * VIEWS and asked.answers == expected(asked)


def test_large_photographs_leave_a_thread_for_others(session, scene):
    decoder = Decoder(session, threads=2, most_masks=4, most_objects=8, most_waiting=3, patience=PATIENCE)
    scene.largest = 40_000_000
    large = Blocking(1)
    decoder.submit(large.click(scene, owner="a"))
    assert large.begun.wait(PATIENCE)
    other = Asked(2)
    decoder.submit(other.click(SimpleNamespace(views=VIEWS, largest=100, features=scene.features), owner="b"))
    assert other.done.wait(PATIENCE) and other.answers == expected(other), "while a mask of the large one is finished"
    large.let.set()
    assert large.done.wait(PATIENCE) and large.answers == expected(large)
    decoder.close()


def test_a_full_line_has_room_for_others(decoder, session, scene):
    session.gate.clear()
    decoder.submit(Asked(0).click(scene, owner="a"))
    wait_until(lambda: not decoder.waiting)
    greedy = [Asked(value) for value in (1, 2, 3)]
    for asked in greedy:
        decoder.submit(asked.click(scene, owner="a"))
    with pytest.raises(BusyError):
        decoder.submit(Asked(4).click(scene, owner="a"))
    other = Asked(5)
    decoder.submit(other.click(SimpleNamespace(views=VIEWS, largest=100, features=scene.features), owner="b"))
    session.gate.set()
    assert other.done.wait(PATIENCE) and other.errors == [None] and other.answers == expected(other)
    assert all(asked.done.wait(PATIENCE) for asked in greedy)
    assert [isinstance(asked.errors[0], BusyError) for asked in greedy] == [False, False, True], "the last one goes"
