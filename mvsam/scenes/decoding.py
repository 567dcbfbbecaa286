"""Clicks through the mask decoder: those on one scene together, prompted views first, a few views at a time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field

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
        deliver: takes logits float32 [O, k, 4E, 4E] of some views; called by the decoder's thread, which it holds up.
        finish: called once, with the error where there is one.
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
    """One thread that decodes; clicks wait for it in order.

    Args:
        session: the mask decoder.
        most_masks: objects × views of one call; at least one view of every object goes into it.
        most_objects: of clicks that are decoded together.
        most_waiting: clicks; more are refused.
        patience: seconds that a click waits at most.
    """

    def __init__(
        self, session: Session, *, most_masks: int, most_objects: int, most_waiting: int, patience: float
    ) -> None:
        self._session = session
        self._most_masks, self._most_objects = most_masks, most_objects
        self._most_waiting, self._patience = most_waiting, patience
        self._waiting: deque[Click] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="decoder", daemon=True)
        self._thread.start()

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
            self._changed.notify()

    def close(self) -> None:
        """Decodes what waits, then ends the thread, if that does not take too long."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(END_WITHIN)

    def _work(self) -> None:
        while taken := self._take():
            now = time.monotonic()
            timely = [click for click in taken if now - click.since <= self._patience]
            for click in taken:
                if click not in timely:
                    click.finish(BusyError(f"the click has waited for {self._patience:g} s; try again in a second"))
            try:
                if timely:
                    self._decode(timely)
            except Exception as error:  # whatever it is, somebody waits for an answer
                for click in timely:
                    click.finish(error)

    def _take(self) -> list[Click]:
        """The click that has waited longest, and all others on its scene that fit; none at the end."""
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return []
                self._changed.wait()
            taken = [self._waiting.popleft()]
            objects = taken[0].objects
            for click in list(self._waiting):
                if click.scene is taken[0].scene and objects + click.objects <= self._most_objects:
                    self._waiting.remove(click)
                    taken.append(click)
                    objects += click.objects
            return taken

    def _decode(self, clicks: list[Click]) -> None:
        """All views of clicks on one scene; those that nobody waits for any more are left out on the way."""
        scene, first = clicks[0].scene, set().union(*(click.first for click in clicks))
        most_views = self._most_masks // sum(click.objects for click in clicks)
        prompts, alive = joined(clicks), clicks
        for views in portions(scene.views, first, most_views):
            left = [click for click in alive if not click.is_cancelled()]
            if not left:
                break
            if len(left) < len(alive):
                prompts, alive = joined(left), left
            inputs = {name: array[views] for name, array in scene.features.items()} | vars(prompts)
            logits = self._session.run(inputs | {"mask_index": prompts.mask_index[:, views]})["mask_logits"]
            place = 0
            for click in alive:
                click.deliver(views, logits[place : place + click.objects])
                place += click.objects
        for click in clicks:
            click.finish(None)


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
