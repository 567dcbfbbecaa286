"""Clicks through the mask decoder: those on one scene together, prompted views first, a few views at a time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field, replace

import numpy as np

from mvsam.pipeline.errors import BusyError
from mvsam.pipeline.normalization import NormalizedPrompts
from mvsam.pipeline.request import PADDING
from mvsam.runtime.segmenter import Session
from mvsam.scenes.scene import Scene
from mvsam.scenes.workers import END_WITHIN


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
        since: when it was asked for, by time.monotonic.
    """

    scene: Scene
    prompts: NormalizedPrompts
    first: Set[int]
    deliver: Callable[[slice, np.ndarray], None]
    finish: Callable[[Exception | None], None]
    is_cancelled: Callable[[], bool]
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
        while taken := self._take():
            batch, views = taken
            try:
                self._decode(batch, views)
            except Exception as error:  # whatever it is, somebody waits for an answer
                batch.error = batch.error or error
            with self._changed:
                batch.open -= 1
                batch.first_open -= views.start in batch.first
                ended = batch.open == 0
                self._changed.notify_all()
            if ended:
                for click in batch.clicks:
                    click.finish(batch.error)

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
                click.finish(BusyError(f"the click waited for {self._patience:g} s; try again in a second"))
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
        """Some views of clicks on one scene, without those that nobody waits for any more."""
        clicks, prompts = batch.alive()
        if batch.error or not clicks:
            return
        features = {name: array[views] for name, array in batch.scene.features.items()}
        logits = self._session.run(features | vars(in_views(prompts, views)))["mask_logits"]
        place = 0
        for click in clicks:
            click.deliver(views, logits[place : place + click.objects])
            place += click.objects


class _Batch:
    """Clicks that are decoded together.

    Attributes:
        clicks: on one scene.
        first: views that go first.
        first_open: how many portions of those are not done.
        left: views that no thread has taken yet.
        open: how many portions of views are not done.
        error: the first that happened.
    """

    def __init__(self, clicks: list[Click], most_views: int) -> None:
        self.clicks, self.scene = clicks, clicks[0].scene
        self.first: Set[int] = set().union(*(click.first for click in clicks))
        self.left = deque(portions(self.scene.views, self.first, most_views))
        self.first_open = sum(views.start in self.first for views in self.left)
        self.open = len(self.left)
        self.error: Exception | None = None
        self._alive = clicks, joined(clicks)

    def alive(self) -> tuple[list[Click], NormalizedPrompts]:
        """Those that somebody waits for, and their prompts as one."""
        clicks, prompts = self._alive
        left = [click for click in clicks if not click.is_cancelled()]
        if left and len(left) < len(clicks):
            prompts = joined(left)
            self._alive = left, prompts
        return left, prompts


def portions(views: int, first: Set[int], most: int) -> list[slice]:
    """Runs of consecutive views, those that go first at the beginning, none longer than `most` (at least 1)."""
    runs = []
    for wanted in (True, False):
        run: list[int] = []
        for view in range(views + 1):
            if run and (view == views or (view in first) != wanted or len(run) == max(1, most)):
                runs.append(slice(run[0], run[-1] + 1))
                run = []
            if view < views and (view in first) == wanted:
                run.append(view)
    return runs


def in_views(prompts: NormalizedPrompts, views: slice) -> NormalizedPrompts:
    """Prompts with the mask prompts of some views alone, which the decoder embeds anew in every call."""
    index = prompts.mask_index[:, views]
    rows = np.union1d([0], index)
    return replace(
        prompts, mask_prompts=prompts.mask_prompts[rows], mask_index=np.searchsorted(rows, index).astype(np.int32)
    )


def joined(clicks: Sequence[Click]) -> NormalizedPrompts:
    """The prompts of several clicks as those of one, padded."""
    parts = [click.prompts for click in clicks]
    if len(parts) == 1:
        return parts[0]
    length = max(part.prompt_labels.shape[1] for part in parts)

    def stacked(name: str, value: float) -> np.ndarray:
        arrays = [getattr(part, name) for part in parts]
        widths = [(0, 0), (0, length)] + [(0, 0)] * (arrays[0].ndim - 2)
        return np.concatenate([np.pad(each, widths, constant_values=value)[:, :length] for each in arrays])

    before = np.cumsum([0, *(len(part.mask_prompts) - 1 for part in parts)])
    indices = [np.where(part.mask_index, part.mask_index + n, 0) for part, n in zip(parts, before, strict=False)]
    return NormalizedPrompts(
        prompt_points=stacked("prompt_points", 0),
        prompt_low_confidence=stacked("prompt_low_confidence", False),
        prompt_labels=stacked("prompt_labels", PADDING),
        mask_prompts=np.concatenate([parts[0].mask_prompts[:1], *(part.mask_prompts[1:] for part in parts)]),
        mask_index=np.concatenate(indices).astype(np.int32),
    )
