"""Requests that go on while something happens to the service; every answer is compared with the right one.

After an error each client waits as long as the SDK does after its first one. The SDK's pauses double from there on;
these do not, so that a service that is back is asked at once.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from mvsam_client import Click, Client, MvsamError, Scene, Segmentation, ServerUnavailableError, Tls, UnknownSceneError
from mvsam_client.retries import FIRST_PAUSE
from server.trials.latency import photographs

VIEWS, HEIGHT, WIDTH = 4, 120, 160
DEADLINE = 20.0  # seconds
TURNED = 1e-3  # share of a photograph's pixels whose logit is zero but for rounding
SMALL, LARGE = 0.02, 0.9  # share of the photograph that a mask must have to be told from others
DIFFERENT = 0.05  # share of the photograph in which two answers must differ, to be told apart


@dataclass(frozen=True)
class Question:
    """A click on some photographs, and its right answer."""

    files: list[bytes]
    clicks: list[Click]
    right: Segmentation


@dataclass(frozen=True)
class Outcome:
    """How one request ended: begin and end by time.monotonic; "answered", "wrong mask" or the error."""

    began: float
    ended: float
    kind: str
    is_expected: bool


class Traffic:
    """Clients that click on scenes, and others that send photographs and a click at once, each its own question.

    Args:
        url: of the service, which must answer well now: these answers are the right ones.
        clickers, senders: how many clients of either kind.
    """

    def __init__(self, url: str, clickers: int = 2, senders: int = 1) -> None:
        self._url = url
        self._questions = different_questions(url, 2)
        self._ended, self._allowed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self.inside = 0
        self.outcomes: list[Outcome] = []
        works = [self._click] * clickers + [self._send] * senders
        self._threads = [
            threading.Thread(target=work, args=(self._questions[k % 2],), daemon=True) for k, work in enumerate(works)
        ]
        for thread in self._threads:
            thread.start()

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Lets the clients ask, and waits at the end until they have their answers."""
        self._allowed.set()
        try:
            yield
        finally:
            self._allowed.clear()
            while self.inside:
                time.sleep(0.01)

    def close(self) -> None:
        """Ends the clients."""
        self._ended.set()
        self._allowed.set()
        for thread in self._threads:
            thread.join()

    def kinds(self) -> Counter[str]:
        """How requests ended, counted."""
        return Counter(outcome.kind for outcome in self.outcomes)

    def answers(self) -> bool:
        """Asks for a scene and a click on it, and sends a click with photographs; whether both are answered."""
        question = self._questions[0]
        try:
            with (
                Client(self._url, retries=0, reencode=False) as client,
                client.encode(question.files, timeout=DEADLINE) as scene,
            ):
                found = [
                    scene.segment(points=question.clicks, timeout=DEADLINE),
                    client.segment(question.files, points=question.clicks, timeout=DEADLINE),
                ]
        except MvsamError:
            return False
        assert all(same(each, question.right) for each in found), "a wrong mask"
        return True

    def _click(self, question: Question) -> None:
        scene: Scene | None = None

        def encode() -> None:
            nonlocal scene
            scene = client.encode(question.files, timeout=DEADLINE)

        with Client(self._url, retries=0, reencode=False) as client:
            while self._may_ask():
                if scene is None:
                    self._timed(encode, None)
                elif not self._timed(lambda s=scene: s.segment(points=question.clicks, timeout=DEADLINE), question):
                    scene = None

    def _send(self, question: Question) -> None:
        with Client(self._url, retries=0, reencode=False) as client:
            while self._may_ask():
                self._timed(lambda: client.segment(question.files, points=question.clicks, timeout=DEADLINE), question)

    def _may_ask(self) -> bool:
        self._allowed.wait()
        return not self._ended.is_set()

    def _timed(self, ask: Callable[[], Segmentation | None], question: Question | None) -> bool:
        """Asks and keeps how it ended; False where the service has lost the scene."""
        with self._lock:
            self.inside += 1
        began, kind, expected, is_known = time.monotonic(), "answered", True, True
        try:
            found = ask()
            if question and not (found and same(found, question.right)):
                kind, expected = "wrong mask", False
        except MvsamError as error:
            kind = f"{type(error).__name__}: {error}"[:150]
            expected = isinstance(error, ServerUnavailableError | UnknownSceneError)
            is_known = not isinstance(error, UnknownSceneError)
            time.sleep(FIRST_PAUSE)
        finally:
            with self._lock:
                self.inside -= 1
        self.outcomes.append(Outcome(began, time.monotonic(), kind, expected))
        return is_known


def different_questions(url: str, count: int, token: str | None = None, tls: Tls | None = None) -> list[Question]:
    """Clicks whose masks are neither small nor alike, so that a wrong one shows."""
    found: list[Question] = []
    with Client(url, token=token, tls=tls, retries=0, reencode=False) as client:
        for seed in range(7, 100):
            files = photographs(VIEWS, seed=seed, height=HEIGHT, width=WIDTH)
            for x in (0.3, 0.5, 0.7):
                clicks = [Click(1, x * WIDTH, 0.6 * HEIGHT)]
                right = client.segment(files, points=clicks)
                is_fit = (right.areas / (HEIGHT * WIDTH) > SMALL).all() and (right.areas < LARGE * HEIGHT * WIDTH).all()
                if is_fit and all(_apart(right, other.right) for other in found):
                    found.append(Question(files, clicks, right))
                    break
            if len(found) == count:
                return found
    raise AssertionError("these weights answer all questions alike")


def same(found: Segmentation, right: Segmentation) -> bool:
    """Whether masks are the same, up to pixels whose logit is zero but for rounding."""
    return len(found.masks) == len(right.masks) and all(share <= TURNED for share in _differences(found, right))


def _apart(one: Segmentation, other: Segmentation) -> bool:
    return all(share > DIFFERENT for share in _differences(one, other))


def _differences(one: Segmentation, other: Segmentation) -> list[float]:
    """Share of the pixels that differ, by mask; 1 where the sizes do."""
    pairs = ((a, b) for masks in zip(one.masks, other.masks, strict=True) for a, b in zip(*masks, strict=True))
    return [float(np.mean(a != b)) if a.shape == b.shape else 1.0 for a, b in pairs]
