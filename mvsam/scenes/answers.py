"""Masks of late answers, to be refined by further clicks."""

from __future__ import annotations

import secrets
import threading
import weakref
from collections import Counter, OrderedDict
from collections.abc import Sequence

import numpy as np

from mvsam.pipeline.errors import RequestError
from mvsam.scenes.scene import Scene

ID_BYTES = 16


class Answers:
    """Mask logits by the answer's id, bounded in bytes: the oldest of the owner with most go first, a scene's with it.

    Safe for threads.

    Args:
        max_bytes: of all.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, tuple[weakref.ref[Scene], np.ndarray, str]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.RLock()  # a scene may come to its end anywhere, in here too

    @property
    def bytes(self) -> int:
        """Of all that is kept."""
        return self._bytes

    def takes(self, size: int) -> bool:
        """Tells whether an answer of so many bytes would be kept."""
        return size <= self._max_bytes

    def keep(self, name: str, scene: Scene, parts: Sequence[tuple[slice, np.ndarray]], owner: str = "") -> None:
        """Keeps an answer; one that is larger than all may be is not kept.

        Args:
            name: its id, of `new_id`.
            scene: of N views.
            parts: views and their logits float32 [O, k, 4E, 4E], together all N.
            owner: whose it is.
        """
        if not self.takes(sum(logits.nbytes for _, logits in parts)):
            return
        logits = np.concatenate([logits for _, logits in sorted(parts, key=lambda part: part[0].start)], axis=1)
        with self._lock:
            self._kept[name] = weakref.ref(scene, lambda _: self._drop(name)), logits, owner
            self._bytes += logits.nbytes
            while self._bytes > self._max_bytes:
                self._drop(self._next())

    def find(self, name: str, scene: Scene, objects: int) -> np.ndarray:
        """The logits of an answer, float32 [O, N, 4E, 4E].

        Raises:
            RequestError: there is none of this id for this scene as it is now, or it is of other objects.
        """
        with self._lock:
            of_scene, logits, _ = self._kept.get(name, (None, None, ""))
        if of_scene is None or logits is None or of_scene() is not scene:
            raise RequestError(
                "PREVIOUS names no answer about this scene as it is now, or one that is not kept any more; "
                "leave it out and send all prompts again"
            )
        if len(logits) != objects:
            raise RequestError(f"PREVIOUS has {len(logits)} objects, the prompts have {objects}; prompt the same ones")
        return logits

    def _next(self) -> str:
        """The answer that goes next."""
        held = Counter[str]()
        for _, logits, owner in self._kept.values():
            held[owner] += logits.nbytes
        ((most, _),) = held.most_common(1)
        return next(name for name, (_, _, owner) in self._kept.items() if owner == most)

    def _drop(self, name: str) -> None:
        with self._lock:
            _, logits, _ = self._kept.pop(name, (None, None, ""))
            self._bytes -= 0 if logits is None else logits.nbytes


def new_id() -> str:
    """Of an answer, not to be guessed."""
    return secrets.token_hex(ID_BYTES)
