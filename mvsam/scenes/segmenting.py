"""One request for masks on a scene: its prompts, the parts of its answer, its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np

from mvsam.pipeline.encodings import MaskEncoding
from mvsam.pipeline.postprocessing import Postprocessed, postprocess
from mvsam.pipeline.request import Prompts
from mvsam.scenes.answers import Answers, new_id
from mvsam.scenes.cache import Pin
from mvsam.scenes.decoding import Click, Decoder
from mvsam.scenes.reply import CancelledError, Reply
from mvsam.scenes.scene import Scene

SEND_EVERY = 0.02  # seconds between parts of an answer: each keeps four processes busy for a while


class Segmenting:
    """One request for masks, from its prompts to the end of its answer."""

    def __init__(
        self,
        pin: Pin,
        prompts: Prompts,
        former: np.ndarray | None,
        encoding: MaskEncoding,
        reply: Reply,
        answers: Answers,
    ) -> None:
        self._pin, self._prompts, self._former, self._encoding, self._reply = pin, prompts, former, encoding, reply
        self._answers, self._name = answers, new_id()
        self._since = time.monotonic()
        self._lock = threading.Lock()
        self._begun: dict[int, list[tuple[slice, Postprocessed, np.ndarray]]] = {}  # objects by their first view
        size = logits_bytes(pin.scene, prompts.objects)
        self._is_kept = "ANSWER" in reply.outputs and answers.takes(size)
        self._all: list[tuple[slice, np.ndarray]] = []
        self._finished: list[tuple[slice, Postprocessed, np.ndarray]] = []  # and not sent yet
        self._missing = pin.scene.views
        self._sent = 0.0

    def lift(self, decoder: Decoder) -> None:
        """Places the prompts and passes the click on."""
        scene, prompts, reply = self._pin.scene, self._prompts, self._reply

        def go_on() -> None:
            decoder.check_patience(self._since)
            if reply.is_cancelled():
                raise CancelledError

        try:
            placed, first = scene.normalized.lift(prompts, go_on), {int(view) for view in prompts.views}
            decoder.submit(
                Click(
                    scene, placed, first, self._deliver, self.end, reply.is_cancelled, self._former,
                    self._since, reply.owner,
                )
            )  # fmt: skip
        except CancelledError:
            self.end(None)
        except Exception as error:
            self.end(error)

    def _deliver(self, views: slice, objects: slice, logits: np.ndarray) -> None:
        """Finishes masks and sends them, with others that are ready: at once, but not too often."""
        sizes = self._pin.scene.layout.image_sizes[views]
        finished = postprocess(logits, sizes, self._prompts.in_views(views, objects), self._encoding)
        with self._lock:
            begun = self._begun.setdefault(views.start, [])
            begun.append((objects, finished, logits))
            if sum(part.stop - part.start for part, _, _ in begun) < self._prompts.objects:
                return
            finished, logits = _of_all_objects(self._begun.pop(views.start))
            self._finished.append((views, finished, logits))
            if self._is_kept:
                self._all.append((views, logits))
            self._missing -= views.stop - views.start
            now = time.monotonic()
            if now - self._sent < SEND_EVERY or not self._missing:  # the end sends what comes last
                return
            self._sent = now
            ready, self._finished = self._finished, []
        self._send(ready)

    def end(self, error: Exception | None) -> None:
        """Sends what is left, or the error; there is no more."""
        try:
            if not error and not self._missing:
                if self._all:
                    self._answers.keep(self._name, self._pin.scene, self._all, self._reply.owner)
                self._send(self._finished, last=True)
        except Exception as own:  # memory has run out, perhaps; the client is told
            error = own
        finally:
            self._pin.release()
            self._reply.end(error)

    def _send(self, finished: Sequence[tuple[slice, Postprocessed, np.ndarray]], last: bool = False) -> None:
        """One part of the answer; each tensor takes its time, so what is of all views comes with the last one only."""
        views, masks, logits = zip(*finished, strict=True)
        answer = {"VIEW": np.concatenate([np.arange(each.start, each.stop, dtype=np.int32) for each in views])}
        for name, attribute in (("MASKS", "masks"), ("SCORES", "scores"), ("AREAS", "areas")):
            answer[name] = np.concatenate([getattr(each, attribute) for each in masks], axis=1)
        if last:
            answer["ANSWER"] = np.array([self._name.encode()], object)
            answer["IMAGE_DIGESTS"] = self._pin.scene.digests
        if "mask_logits" in self._reply.outputs:
            answer["mask_logits"] = np.concatenate(logits, axis=1)
        self._reply.send(answer, last)


def logits_bytes(scene: Scene, objects: int) -> int:
    """Bytes of the logits of so many objects in all views."""
    side = 4 * scene.normalized.grid_points.shape[1]
    return 4 * side**2 * objects * scene.views


def _of_all_objects(parts: list[tuple[slice, Postprocessed, np.ndarray]]) -> tuple[Postprocessed, np.ndarray]:
    """Masks and logits of some views, from those of some objects each."""
    if len(parts) == 1:
        return parts[0][1:]
    _, finished, logits = zip(*sorted(parts, key=lambda part: part[0].start), strict=True)
    names = ("masks", "scores", "areas")
    joined = {name: np.concatenate([getattr(each, name) for each in finished]) for name in names}
    return Postprocessed(**joined), np.concatenate(logits)
