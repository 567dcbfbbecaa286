"""Between the page and the server: a thread that takes clicks in their order and asks for masks.

A click that comes while an answer is on its way ends that answer and begins the next one, so the page never lags behind
a person by more than one view.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Protocol

import numpy as np

from mvsam_client.annotator import Annotator
from mvsam_client.errors import InvalidRequestError, MvsamError
from mvsam_client.result import Segmentation
from mvsam_client.viewer.picking import Pixel

CLOSE_WITHIN = 5.0  # seconds

logger = logging.getLogger(__name__)


class Audience(Protocol):
    """Whom a session tells what has changed; called in the session's thread."""

    def prompted(self) -> None:
        """Clicks came or went; their masks are to come."""

    def found(self, view: int) -> None:
        """The masks of a view are new."""

    def answered(self, first: float, whole: float) -> None:
        """All views are: seconds until the first one and until the last one."""

    def emptied(self) -> None:
        """There are no clicks and no masks any more."""

    def failed(self, reason: str) -> None:
        """Something could not be done."""


class Session:
    """Clicks and masks of one scene.

    Attributes:
        annotator: the clicks.
        masks: for each view, bool [h, w] by object id; of the last answer, or where the next is on its way, of that.
        areas: for each view, pixels of these masks by object id.
        result: the last whole answer to the clicks; None where there are none.
    """

    def __init__(self, annotator: Annotator, views: int, audience: Audience) -> None:
        self.annotator = annotator
        self.masks: list[Mapping[int, np.ndarray]] = [{} for _ in range(views)]
        self.areas: list[Mapping[int, int]] = [{} for _ in range(views)]
        self.result: Segmentation | None = None
        self._audience = audience
        self._changes: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="mvsam-viewer", daemon=True)
        self._thread.start()

    def click(self, pixel: Pixel, *, positive: bool, object_id: int) -> None:
        """Adds one, and returns at once; so do all of these."""

        def add() -> None:
            prompts = self.annotator.objects.get(object_id)
            if not positive and not (prompts and prompts.has_positive):
                raise InvalidRequestError(f"object {object_id} has no click yet: click on the object first")
            self.annotator.add_click(pixel.view, pixel.x, pixel.y, positive=positive, object_id=object_id)

        self._changes.put(add)

    def undo(self) -> None:
        """Takes the last change back."""
        self._changes.put(self.annotator.undo)

    def redo(self) -> None:
        """Repeats what was taken back last."""
        self._changes.put(self.annotator.redo)

    def clear(self) -> None:
        """Takes all clicks away; `undo` brings them back."""
        self._changes.put(self.annotator.clear)

    def close(self) -> None:
        """Ends the answer that is on its way, and the thread; it does not wait for a server that is silent."""
        self._changes.put(None)
        self._thread.join(CLOSE_WITHIN)

    def _run(self) -> None:
        is_due = False
        while change := self._changes.get():
            is_due |= self._tried(lambda change=change: self._apply(change), otherwise=False)
            if is_due and self._changes.empty():
                is_due = not self._tried(self._answer, otherwise=True)

    def _tried(self, step: Callable[[], bool], *, otherwise: bool) -> bool:
        """What a step says, or if it fails this; the page goes on, for it holds a person's work."""
        try:
            return step()
        except MvsamError as error:
            self._audience.failed(str(error))
        except Exception:
            logger.exception("a click could not be answered")
            self._audience.failed("this could not be done; the terminal says why")
        return otherwise

    def _apply(self, change: Callable[[], object]) -> bool:
        """Whether the clicks are others now."""
        before = self.annotator.objects
        change()
        if self.annotator.objects == before:
            return False
        self._audience.prompted()
        return True

    def _answer(self) -> bool:
        """Asks the server, and tells of the views as they come; whether no change came between."""
        if not self.annotator.object_ids:
            self.masks, self.areas = [{} for _ in self.masks], [{} for _ in self.masks]
            self.result = None
            self._audience.emptied()
            return True
        began, first = time.monotonic(), 0.0
        for part in self.annotator.stream():
            first = first or time.monotonic() - began
            self.masks[part.view] = part.masks
            self.areas[part.view] = {each: int(np.count_nonzero(mask)) for each, mask in part.masks.items()}
            self._audience.found(part.view)
            if not self._changes.empty():
                return False  # what is not listened to any more is cancelled
        self.result = self.annotator.segmentation
        self._audience.answered(first, time.monotonic() - began)
        return True
