"""Clicks through the mask decoder: those on one scene together, prompted views first, a few views at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Set
from dataclasses import dataclass, field

import numpy as np

from mvsam.pipeline.errors import BusyError
from mvsam.pipeline.normalization import NormalizedPrompts
from mvsam.runtime.segmenter import Session
from mvsam.scenes.joining import in_views, joined, portions, refining
from mvsam.scenes.scene import Scene
from mvsam.scenes.workers import END_WITHIN

logger = logging.getLogger(__name__)


HEAD_START = 0.0015  # seconds: the first masks pass four processes before others want the cores


@dataclass(frozen=True, eq=False)
class Click:
    """Prompts for O objects of a scene, and what becomes of them.

    Attributes:
        scene: of N views.
        prompts: lifted into it.
        first: views to decode before the others.
        deliver: takes logits float32 [O, k, 4E, 4E] of some views; called by the decoder's threads, several at once.
        finish: called once after that, with the error where there is one.
        is_cancelled: whether nobody waits any more.
        former: logits of an answer that is to be refined, float32 [O, N, 4E, 4E].
        since: when it was asked for, by time.monotonic.
    """

    scene: Scene
    prompts: NormalizedPrompts
    first: Set[int]
    deliver: Callable[[slice, np.ndarray], None]
    finish: Callable[[Exception | None], None]
    is_cancelled: Callable[[], bool]
    former: np.ndarray | None = None
    since: float = field(default_factory=time.monotonic)

    @property
    def objects(self) -> int:
        """O."""
        return len(self.prompts.prompt_labels)


class Decoder:
    """Threads that decode; clicks wait for them in order.

    Args:
        session: the mask decoder; computes one call a thread, all threads at once.
        threads: of them.
        most_masks: objects × views of one call; at least one view of every object goes into it.
        most_objects: of clicks that are decoded together.
        most_waiting: clicks; more are refused.
        patience: seconds that a click waits at most.
    """

    def __init__(
        self,
        session: Session,
        *,
        threads: int,
        most_masks: int,
        most_objects: int,
        most_waiting: int,
        patience: float,
    ) -> None:
        self._session = session
        self._most_masks, self._most_objects = most_masks, most_objects
        self._most_waiting, self._patience = most_waiting, patience
        self._waiting: deque[Click] = deque()
        self._batch: _Batch | None = None  # what the threads take their portions from
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._work, name=f"decoder_{i}", daemon=True) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Clicks that nothing has been done for yet."""
        return len(self._waiting)

    def submit(self, click: Click) -> None:
        """Puts a click in line.

        Raises:
            BusyError: the line is too long.
        """
        with self._changed:
            if len(self._waiting) >= self._most_waiting:
                raise BusyError(f"{self._most_waiting} clicks are waiting already; try again in a second")
            self._waiting.append(click)
            self._changed.notify_all()

    def close(self) -> None:
        """Decodes what waits, then ends the threads, if that does not take too long."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(END_WITHIN)

    def _work(self) -> None:
        while self._serve():  # whose variables go at its end: nothing keeps a scene that nobody waits for
            pass

    def _serve(self) -> bool:
        """Decodes one portion of views; False at the end."""
        taken = self._take()
        if taken is None:
            return False
        batch, views = taken
        self._decode(batch, views)
        if views.start in batch.first and batch.left:
            time.sleep(HEAD_START)
        with self._changed:
            batch.open -= 1
            batch.first_open -= views.start in batch.first
            ended = batch.open == 0
            self._changed.notify_all()
        if ended:
            for click in batch.clicks:
                _finish(click, batch.errors.get(click))
        return True

    def _take(self) -> tuple[_Batch, slice] | None:
        """Views for a thread to decode; None at the end."""
        while True:
            with self._changed:
                while self._must_wait():
                    if self._closed and not self._batch:
                        return None
                    self._changed.wait()
                late = self._without_late() if not self._batch else []
                if not self._batch and self._waiting:
                    self._batch = self._next_batch()
                    self._changed.notify_all()
                taken = None
                if self._batch:
                    taken = self._batch, self._batch.left.popleft()
                    if not self._batch.left:
                        self._batch = None
            for click in late:
                _finish(click, BusyError(f"the click waited for {self._patience:g} s; try again in a second"))
            if taken:
                return taken

    def _must_wait(self) -> bool:
        """Whether there is nothing to do, or only views that would slow down those which go first."""
        if self._batch:
            return self._batch.first_open > 0 and self._batch.left[0].start not in self._batch.first
        return not self._waiting

    def _without_late(self) -> list[Click]:
        """Takes those out of the line that have waited too long."""
        limit = time.monotonic() - self._patience
        late = [click for click in self._waiting if click.since < limit]
        for click in late:
            self._waiting.remove(click)
        return late

    def _next_batch(self) -> _Batch:
        """The click that has waited longest, and all others on its scene that fit."""
        clicks = [self._waiting.popleft()]
        objects = clicks[0].objects
        for click in list(self._waiting):
            if click.scene is clicks[0].scene and objects + click.objects <= self._most_objects:
                self._waiting.remove(click)
                clicks.append(click)
                objects += click.objects
        return _Batch(clicks, self._most_masks // objects)

    def _decode(self, batch: _Batch, views: slice) -> None:
        """Some views of clicks on one scene, without those that nobody waits for any more; keeps errors."""
        clicks, prompts = batch.alive()
        if not clicks:
            return
        try:
            prompts = in_views(prompts, views)
            prompts = refining(prompts, [(click.objects, click.former) for click in clicks], views)
            features = {name: array[views] for name, array in batch.scene.features.items()}
            logits = self._session.run(features | vars(prompts))["mask_logits"]
        except Exception as error:  # whatever it is, somebody waits for an answer
            batch.errors |= dict.fromkeys(clicks, error)
            return
        place = 0
        for click in clicks:
            try:
                click.deliver(views, logits[place : place + click.objects])
            except Exception as error:  # this click's own
                batch.errors[click] = error
            place += click.objects


def _finish(click: Click, error: Exception | None) -> None:
    try:
        click.finish(error)
    except Exception:  # no click may take a thread with it
        logger.exception("a click could not be brought to its end")


class _Batch:
    """Clicks that are decoded together.

    Attributes:
        clicks: on one scene.
        first: views that go first.
        first_open: how many portions of those are not done.
        left: views that no thread has taken yet.
        open: how many portions of views are not done.
        errors: by click.
    """

    def __init__(self, clicks: list[Click], most_views: int) -> None:
        self.clicks, self.scene = clicks, clicks[0].scene
        self.first: Set[int] = set().union(*(click.first for click in clicks))
        self.left = deque(portions(self.scene.views, self.first, most_views))
        self.first_open = sum(views.start in self.first for views in self.left)
        self.open = len(self.left)
        self.errors: dict[Click, Exception] = {}
        self._alive = clicks, joined([click.prompts for click in clicks])

    def alive(self) -> tuple[list[Click], NormalizedPrompts]:
        """Those that somebody waits for, and their prompts as one."""
        clicks, prompts = self._alive
        left = [click for click in clicks if click not in self.errors and not click.is_cancelled()]
        if left and len(left) < len(clicks):
            prompts = joined([click.prompts for click in left])
            self._alive = left, prompts
        return left, prompts
