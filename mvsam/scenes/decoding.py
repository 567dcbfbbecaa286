"""Clicks through the mask decoder: those on one scene together, prompted views first, a few masks at a time.

Owners take turns after every call, and so do an owner's large requests and the others: who asks for thousands of masks
holds nobody's click for longer than a call. A call for a large photograph takes seconds and half a gigabyte, mostly to
finish its mask: of several threads one is kept for other calls.
"""

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
from mvsam.scenes.joining import in_views, joined, of_objects, portions, refining
from mvsam.scenes.lines import Line
from mvsam.scenes.scene import Scene
from mvsam.scenes.workers import END_WITHIN

logger = logging.getLogger(__name__)


LARGE = 256  # masks of a click
CALL_PIXELS = 2**25  # of the photographs whose masks one call makes: they are finished before another owner's turn
LARGE_PICTURE = 2**24  # pixels of a photograph
HEAD_START = 0.0015  # seconds: the first masks pass four processes before others want the cores


@dataclass(frozen=True, eq=False)
class Click:
    """Prompts for O objects of a scene, and what becomes of them.

    Attributes:
        scene: of N views.
        prompts: lifted into it.
        first: views to decode before the others.
        deliver: takes views, objects and their logits, float32 [objects, views, 4E, 4E]; called by the decoder's
            threads, several at once.
        finish: called once after that, with the error where there is one.
        is_cancelled: whether nobody waits any more.
        former: logits of an answer that is to be refined, float32 [O, N, 4E, 4E].
        since: when it was asked for, by time.monotonic.
        owner: who asked.
    """

    scene: Scene
    prompts: NormalizedPrompts
    first: Set[int]
    deliver: Callable[[slice, slice, np.ndarray], None]
    finish: Callable[[Exception | None], None]
    is_cancelled: Callable[[], bool]
    former: np.ndarray | None = None
    since: float = field(default_factory=time.monotonic)
    owner: str = ""

    @property
    def objects(self) -> int:
        """O."""
        return len(self.prompts.prompt_labels)

    @property
    def lane(self) -> tuple[str, bool]:
        """Clicks of one lane wait for one another: those of one owner, large ones and others apart."""
        return self.owner, self.objects * self.scene.views > LARGE


class Decoder:
    """Threads that decode; the clicks of a lane wait for them in order.

    Args:
        session: the mask decoder; computes one call a thread, all threads at once.
        threads: of them.
        most_masks: objects × views of one call.
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
        self._lateness = f"the click waited for {patience:g} s; try again in a second"
        self._waiting: Line[Click] = Line(f"{most_waiting} clicks are waiting already; try again in a second")
        self._batches: list[_Batch] = []  # what the threads take their pieces from: one of each lane at most
        self._turns, self._last_turn = 0, dict[tuple[str, bool], int]()  # by lane
        self._large, self._most_large = 0, max(1, threads - 1)  # threads that are at large photographs
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
            displaced = self._waiting.put(click.lane, click, self._most_waiting)
            self._changed.notify_all()
        if displaced:
            _finish(displaced, BusyError(self._waiting.refusal))

    def check_patience(self, since: float) -> None:
        """Raises BusyError where a click has waited for too long, since a time by time.monotonic."""
        if since < time.monotonic() - self._patience:
            raise BusyError(self._lateness)

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
        """Decodes one piece; False at the end."""
        taken = self._take()
        if taken is None:
            return False
        batch, piece = taken
        self._decode(batch, piece)
        if piece.is_first and batch.left:
            time.sleep(HEAD_START)
        with self._changed:
            batch.open -= 1
            batch.first_open -= piece.is_first
            self._large -= batch.is_large
            ended = batch.open == 0
            self._changed.notify_all()
        if ended:
            for click in batch.clicks:
                _finish(click, batch.errors.get(click))
        return True

    def _take(self) -> tuple[_Batch, _Piece] | None:
        """Something for a thread to decode; None at the end."""
        while True:
            with self._changed:
                late = self._waiting.remove(lambda click: click.since < time.monotonic() - self._patience)
                self._begin()
                taken = self._next_piece()
                if not taken and not late:
                    if self._closed and not self._batches:
                        return None
                    self._changed.wait()
            for click in late:
                _finish(click, BusyError(self._lateness))
            if taken:
                return taken

    def _begin(self) -> None:
        """Makes batches of the clicks of lanes that have none."""
        while taken := self._waiting.take({batch.lane for batch in self._batches}):
            lane, click = taken
            self._batches.append(_Batch([click, *self._others(lane, click)], self._most_masks))
            self._changed.notify_all()

    def _others(self, lane: tuple[str, bool], first: Click) -> list[Click]:
        """Takes those out of a lane that are on the same scene as its first and fit into a batch with it."""
        objects = first.objects

        def fits(other: Click) -> bool:
            nonlocal objects
            is_fit = other.scene is first.scene and objects + other.objects <= self._most_objects
            objects += other.objects if is_fit else 0
            return is_fit

        return self._waiting.take_all(lane, fits)

    def _next_piece(self) -> tuple[_Batch, _Piece] | None:
        """A piece of the batch whose turn it is, but none that would slow down those which go first in their batch.

        Nor one of a large photograph for the last thread.
        """
        ready = [
            batch
            for batch in self._batches
            if (not batch.first_open or batch.left[0].is_first)
            and not (batch.is_large and self._large == self._most_large)
        ]
        if not ready:
            return None
        batch = min(ready, key=lambda each: self._last_turn.get(each.lane, 0))
        self._turns += 1
        self._last_turn[batch.lane] = self._turns
        piece = batch.left.popleft()
        self._large += batch.is_large
        if not batch.left:
            self._batches.remove(batch)
        return batch, piece

    def _decode(self, batch: _Batch, piece: _Piece) -> None:
        """Some masks of clicks on one scene, without those that nobody waits for any more; keeps errors."""
        parts, prompts = batch.alive(piece.group)
        if not parts:
            return
        views = piece.views
        try:
            prompts = in_views(prompts, views)
            formers = [(part.count, part.former()) for part in parts]
            prompts = refining(prompts, formers, views)
            features = {name: array[views] for name, array in batch.scene.features.items()}
            logits = self._session.run(features | vars(prompts))["mask_logits"]
        except Exception as error:  # whatever it is, somebody waits for an answer
            batch.errors |= dict.fromkeys((part.click for part in parts), error)
            return
        place = 0
        for part in parts:
            try:
                part.click.deliver(views, part.objects, logits[place : place + part.count])
            except Exception as error:  # this click's own
                batch.errors[part.click] = error
            place += part.count


def _finish(click: Click, error: Exception | None) -> None:
    try:
        click.finish(error)
    except Exception:  # no click may take a thread with it
        logger.exception("a click could not be brought to its end")


@dataclass(frozen=True, eq=False)
class _Part:
    """Some objects of a click."""

    click: Click
    objects: slice

    @property
    def count(self) -> int:
        return self.objects.stop - self.objects.start

    def former(self) -> np.ndarray | None:
        """Logits of the answer that is to be refined, of these objects."""
        return None if self.click.former is None else self.click.former[self.objects]


@dataclass(frozen=True)
class _Piece:
    """Holds what one call decodes: some views of one group of objects; and whether these views go first."""

    views: slice
    group: int
    is_first: bool


class _Batch:
    """Clicks that are decoded together.

    Attributes:
        clicks: on one scene.
        lane: theirs.
        is_large: whether the scene has a large photograph.
        first_open: how many pieces of the views that go first are not done.
        left: pieces that no thread has taken yet.
        open: how many pieces are not done.
        errors: by click.
    """

    def __init__(self, clicks: list[Click], most_masks: int) -> None:
        self.clicks, self.scene, self.lane = clicks, clicks[0].scene, clicks[0].lane
        self.is_large = self.scene.largest > LARGE_PICTURE
        first: Set[int] = set().union(*(click.first for click in clicks))
        most_objects = min(most_masks, max(1, CALL_PIXELS // self.scene.largest))
        groups = _grouped(clicks, most_objects)
        most_views = most_objects // max(sum(part.count for part in group) for group in groups)
        runs = portions(self.scene.views, first, most_views)
        pieces = [_Piece(run, group, run.start in first) for run in runs for group in range(len(groups))]
        self.left, self.open = deque(pieces), len(pieces)
        self.first_open = sum(piece.is_first for piece in pieces)
        self.errors: dict[Click, Exception] = {}
        self._alive = [(parts, _joined(parts)) for parts in groups]

    def alive(self, group: int) -> tuple[list[_Part], NormalizedPrompts]:
        """The parts of a group that somebody waits for, and their prompts as one."""
        parts, prompts = self._alive[group]
        left = [part for part in parts if part.click not in self.errors and not part.click.is_cancelled()]
        if left and len(left) < len(parts):
            prompts = _joined(left)
            self._alive[group] = left, prompts
        return left, prompts


def _grouped(clicks: list[Click], most: int) -> list[list[_Part]]:
    """All objects of some clicks, in groups of so many at most."""
    groups: list[list[_Part]] = []
    room = 0
    for click in clicks:
        start = 0
        while start < click.objects:
            if not room:
                groups.append([])
                room = most
            stop = min(click.objects, start + room)
            groups[-1].append(_Part(click, slice(start, stop)))
            room -= stop - start
            start = stop
    return groups


def _joined(parts: list[_Part]) -> NormalizedPrompts:
    return joined([of_objects(part.click.prompts, part.objects) for part in parts])
