"""Requests that go on while something happens to the service; every answer is compared with the right one."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from mvsam_client import Click, Client, MvsamError, Scene, Segmentation, UnknownSceneError
from server.trials.latency import photographs

VIEWS, HEIGHT, WIDTH = 4, 120, 160
CLICK = [Click(1, WIDTH / 2, HEIGHT / 2)]
DEADLINE = 20.0  # seconds
PAUSE = 0.05  # after an error
TURNED = 1e-3  # share of a mask's pixels whose logit is zero but for rounding


@dataclass(frozen=True)
class Outcome:
    """How one request ended: begin and end by time.monotonic; "answered", "wrong mask" or the error."""

    began: float
    ended: float
    kind: str


class Traffic:
    """Clients that click on scenes, and others that send photographs and a click at once.

    Args:
        url: of the service, which must answer well now: these answers are the right ones.
        clickers, senders: how many clients of either kind.
    """

    def __init__(self, url: str, clickers: int = 2, senders: int = 1) -> None:
        self._url = url
        self._files = photographs(VIEWS, seed=7, height=HEIGHT, width=WIDTH)
        self._ended, self._allowed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self.inside = 0
        self.outcomes: list[Outcome] = []
        with Client(url) as client, client.encode(self._files) as scene:
            self._right = {"click": scene.segment(points=CLICK), "send": client.segment(self._files, points=CLICK)}
        works = [self._click] * clickers + [self._send] * senders
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in self._threads:
            thread.start()

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Lets the clients ask, and waits at the end until they have their answers."""
        self._allowed.set()
        try:
            yield
        finally:
            self.hold()

    def hold(self) -> None:
        """No more requests; returns when nobody waits for an answer."""
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
        """Asks for a scene and a click on it, and sends a click with photographs; whether both are answered well."""
        try:
            with Client(self._url) as client, client.encode(self._files, timeout=DEADLINE) as scene:
                found = {
                    "click": scene.segment(points=CLICK, timeout=DEADLINE),
                    "send": client.segment(self._files, points=CLICK, timeout=DEADLINE),
                }
        except MvsamError:
            return False
        for kind, answer in found.items():
            assert same(answer, self._right[kind]), "a wrong mask"
        return True

    def _click(self) -> None:
        scene: Scene | None = None
        with Client(self._url) as client:
            while self._may_ask():
                if scene is None:
                    try:
                        scene = client.encode(self._files, timeout=DEADLINE)
                    except MvsamError:
                        time.sleep(PAUSE)
                    continue
                try:
                    self._timed("click", lambda scene=scene: scene.segment(points=CLICK, timeout=DEADLINE))
                except UnknownSceneError:
                    scene = None

    def _send(self) -> None:
        with Client(self._url) as client:
            while self._may_ask():
                self._timed("send", lambda: client.segment(self._files, points=CLICK, timeout=DEADLINE))

    def _may_ask(self) -> bool:
        self._allowed.wait()
        return not self._ended.is_set()

    def _timed(self, kind: str, ask: Callable[[], Segmentation]) -> None:
        """Asks and keeps how it ended.

        Raises:
            UnknownSceneError: the service lost the scene, which is a good answer too.
        """
        with self._lock:
            self.inside += 1
        began = time.monotonic()
        try:
            found = ask()
            self._end(began, "answered" if same(found, self._right[kind]) else "wrong mask")
        except MvsamError as error:
            self._end(began, f"{type(error).__name__}: {error}"[:150])
            if isinstance(error, UnknownSceneError):
                raise
            time.sleep(PAUSE)
        finally:
            with self._lock:
                self.inside -= 1

    def _end(self, began: float, kind: str) -> None:
        self.outcomes.append(Outcome(began, time.monotonic(), kind))


def same(found: Segmentation, right: Segmentation) -> bool:
    """Whether masks are the same, up to pixels whose logit is zero but for rounding."""
    masks, wanted = ([mask for masks in each.masks for mask in masks] for each in (found, right))
    return len(masks) == len(wanted) and all(
        one.shape == other.shape and np.mean(one != other) <= TURNED for one, other in zip(masks, wanted, strict=True)
    )
