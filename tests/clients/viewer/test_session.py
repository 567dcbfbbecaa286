"""Clicks reach the server in their order, and an answer that is out of date is given up."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from mvsam_client import Click, ServerUnavailableError
from mvsam_client.annotator import Annotator
from mvsam_client.viewer.picking import Pixel
from mvsam_client.viewer.session import Session
from tests.clients.viewer import toy
from tests.clients.viewer.toy import VIEWS, ToyScene
from tests.waiting import PATIENCE

ON_BALL, BESIDE = (140.0, 105.0), (5.0, 5.0)


@dataclass
class Listener:
    """Writes everything down, and lets tests wait for the end of an answer."""

    news: list[Any] = field(default_factory=list)
    settled: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def prompted(self) -> None:
        self.news.append("prompted")

    def found(self, view: int) -> None:
        self.news.append(view)

    def answered(self, first: float, whole: float) -> None:
        assert 0 < first <= whole
        self.news.append("answered")
        self.settled.release()

    def emptied(self) -> None:
        self.news.append("emptied")
        self.settled.release()

    def failed(self, reason: str) -> None:
        self.news.append(reason)
        self.settled.release()

    def wait(self) -> None:
        assert self.settled.acquire(timeout=30)


@pytest.fixture
def scene() -> ToyScene:
    return ToyScene()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def session(scene: ToyScene, listener: Listener) -> Iterator[Session]:
    made = Session(Annotator(scene), VIEWS, listener)  # pyright: ignore[reportArgumentType]
    yield made
    made.close()


def test_a_click_is_answered_in_all_views_its_own_first(session: Session, listener: Listener) -> None:
    session.click(Pixel(4, *ON_BALL), positive=True, object_id=1)
    listener.wait()
    assert listener.news == ["prompted", 4, 0, 1, 2, 3, 5, "answered"]
    assert session.areas == [{1: mask.sum()} for mask in toy.masks()]
    assert session.result and session.result.areas.shape == (1, VIEWS)


def test_undo_redo_and_clear(session: Session, listener: Listener, scene: ToyScene) -> None:
    for view in (0, 1):
        session.click(Pixel(view, *ON_BALL), positive=True, object_id=view + 1)
        listener.wait()
    session.undo()
    listener.wait()
    assert [set(by_object) for by_object in session.masks] == [{1}] * VIEWS
    session.undo()
    listener.wait()
    assert session.masks == [{}] * VIEWS and session.result is None
    session.redo()
    listener.wait()
    assert session.masks[3][1].any()
    session.clear()
    listener.wait()
    assert session.masks == [{}] * VIEWS and listener.news[-1] == "emptied"
    assert len(scene.received) == 4, "nothing is asked without clicks"


def test_undo_without_clicks_does_nothing(session: Session, listener: Listener, scene: ToyScene) -> None:
    session.undo()
    session.click(Pixel(0, *ON_BALL), positive=True, object_id=1)
    listener.wait()
    assert listener.news[0] == "prompted" and len(scene.received) == 1


def test_an_object_begins_with_what_it_is(session: Session, listener: Listener, scene: ToyScene) -> None:
    session.click(Pixel(0, *BESIDE), positive=False, object_id=2)
    listener.wait()
    assert "click on the object first" in listener.news[-1] and not scene.received
    session.click(Pixel(0, *ON_BALL), positive=True, object_id=2)
    session.click(Pixel(1, *BESIDE), positive=False, object_id=2)
    listener.wait()
    assert scene.received[-1] == [Click(0, *ON_BALL, object=0), Click(1, *BESIDE, positive=False, object=0)]


class Held(ToyScene):
    """Waits in the first answer, after its first view, until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.holds, self.goes_on = threading.Event(), threading.Event()
        self.closed: list[int] = []

    def stream(self, **prompts):
        number = len(self.received)
        try:
            for part in super().stream(**prompts):
                if number == 0 and part.view:
                    self.holds.set()
                    assert self.goes_on.wait(PATIENCE)
                yield part
        finally:
            self.closed.append(number)


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def waiting(held: Held, listener: Listener) -> Iterator[Session]:
    """In the middle of its first answer."""
    made = Session(Annotator(held), VIEWS, listener)  # pyright: ignore[reportArgumentType]
    made.click(Pixel(0, *ON_BALL), positive=True, object_id=1)
    assert held.holds.wait(PATIENCE)
    yield made
    made.close()


def test_a_new_click_ends_the_answer_to_the_one_before(waiting: Session, held: Held, listener: Listener) -> None:
    waiting.click(Pixel(1, *ON_BALL), positive=True, object_id=1)
    waiting.click(Pixel(2, *ON_BALL), positive=True, object_id=1)
    held.goes_on.set()
    listener.wait()
    assert listener.news[:3] == ["prompted", 0, 1], "the first answer stops after the view that was on its way"
    assert listener.news.count("answered") == 1 and held.closed == [0, 1]
    assert [len(clicks) for clicks in held.received] == [1, 3], "both new clicks are answered at once"


def test_a_refused_click_leaves_no_answer_half_done(waiting: Session, held: Held, listener: Listener) -> None:
    waiting.click(Pixel(1, *BESIDE), positive=False, object_id=7)
    held.goes_on.set()
    listener.wait()
    assert "object 7" in listener.news[-1]
    listener.wait()
    assert listener.news[-1] == "answered" and waiting.areas == [{1: mask.sum()} for mask in toy.masks()]


def test_a_failure_is_told_and_the_next_click_is_answered(listener: Listener) -> None:
    class Failing(ToyScene):
        def stream(self, **prompts):
            if not self.received:
                self.received.append([])
                raise ServerUnavailableError("the server at x is not available; start one")
            yield from super().stream(**prompts)

    session = Session(Annotator(Failing()), VIEWS, listener)  # pyright: ignore[reportArgumentType]
    session.click(Pixel(0, *ON_BALL), positive=True, object_id=1)
    listener.wait()
    assert listener.news[-1] == "the server at x is not available; start one"
    session.click(Pixel(1, *ON_BALL), positive=True, object_id=1)
    listener.wait()
    assert listener.news[-1] == "answered"
    session.close()


def test_a_defect_of_the_page_does_not_end_the_session(session: Session, listener: Listener, caplog) -> None:
    broken = [True]

    def found(view: int) -> None:
        if broken:
            broken.clear()
            raise ZeroDivisionError

    listener.found = found
    session.click(Pixel(0, *ON_BALL), positive=True, object_id=1)
    listener.wait()
    assert "terminal" in listener.news[-1] and "ZeroDivisionError" in caplog.text
    session.click(Pixel(0, *ON_BALL), positive=True, object_id=1)
    listener.wait()
    assert listener.news[-1] == "answered"
