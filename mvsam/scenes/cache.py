"""Scenes by id: bounded in bytes and number; the least recently used goes first, but none that is in use.

Each belongs to who made it, and is nobody else's to use. Room is made by the owner who holds most: one alone may have
all of it, and none is pushed out by another who holds more.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from mvsam.pipeline.errors import BusyError, RequestError, UnknownSceneError
from mvsam.scenes.scene import Scene

ID_BYTES = 16  # 128 bits: not to be guessed
MEGABYTE = 10**6


@dataclass
class Counts:
    """What has happened to scenes so far."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    expirations: int = 0


@dataclass(eq=False)
class _Entry:
    scene: Scene
    owner: str
    used: float
    pins: int = 0


class Pin:
    """A scene that is not evicted before `release`; a context manager."""

    def __init__(self, scene: Scene, release: Callable[[], None]) -> None:
        self.scene = scene
        self._release: Callable[[], None] | None = release

    def release(self) -> None:
        """Lets go; once is enough, twice does no harm."""
        release, self._release = self._release, None
        if release:
            release()

    def __enter__(self) -> Scene:
        return self.scene

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.release()


class SceneCache:
    """Scenes in use and of late, safe for threads.

    Args:
        max_bytes: of all scenes, those included that are being encoded.
        max_scenes: likewise.
        ttl: seconds after its last use that a scene is kept.
        clock: seconds.
    """

    def __init__(
        self, max_bytes: int, max_scenes: int, ttl: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_bytes, self._max_scenes, self._ttl, self._clock = max_bytes, max_scenes, ttl, clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # least recently used first
        self._reserved: dict[int, int] = {}  # bytes by ticket
        self._tickets = 0
        self._lock = threading.Lock()
        self.counts = Counts()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """Of the scenes held."""
        with self._lock:
            return self._held()

    def reserve(self, size: int, owner: str) -> int:
        """Makes room for a scene that is going to be encoded.

        Args:
            size: in bytes.
            owner: whose it will be.

        Returns:
            A ticket for `put`, `replace` or `cancel`.

        Raises:
            RequestError: more than there will ever be.
            BusyError: the scenes in use leave no room for it now.
        """
        if size > self._max_bytes:
            raise RequestError(
                f"IMAGES: the scene would take {size // MEGABYTE} MB, all scenes together may take "
                f"{self._max_bytes // MEGABYTE} MB; send fewer or smaller photographs"
            )
        with self._lock:
            self._make_room(size, 1, owner)
            self._tickets += 1
            self._reserved[self._tickets] = size
            return self._tickets

    def cancel(self, ticket: int) -> None:
        """Gives a reservation back, if nothing has used it."""
        with self._lock:
            self._reserved.pop(ticket, None)

    def put(self, scene: Scene, ticket: int, owner: str) -> str:
        """Keeps a scene in the room that was made for it.

        Returns:
            Its id.

        Raises:
            BusyError: it grew beyond its reservation, and there is no room.
        """
        with self._lock:
            self._reserved.pop(ticket, None)
            self._make_room(scene.bytes, 1, owner)
            name = secrets.token_hex(ID_BYTES)
            self._entries[name] = _Entry(scene, owner, self._clock())
            return name

    def replace(self, name: str, old: Scene, scene: Scene, ticket: int, owner: str) -> None:
        """Puts a scene in another's place; whoever uses the other goes on with it.

        Raises:
            UnknownSceneError: the other has gone.
            BusyError: as for `put`, or yet another has taken its place meanwhile.
        """
        with self._lock:
            self._reserved.pop(ticket, None)
            entry = self._find(name, owner)
            if entry.scene is not old:
                raise BusyError("another request has changed the scene meanwhile; try again")
            entry.pins += 1  # not to be evicted for its own successor
            try:
                self._make_room(scene.bytes - entry.scene.bytes, 0, owner)
            finally:
                entry.pins -= 1
            entry.scene = scene

    def pin(self, name: str, owner: str) -> Pin:
        """A scene for use.

        Raises:
            UnknownSceneError: there is none of this id and owner, or not any more.
        """
        with self._lock:
            entry = self._find(name, owner)
            entry.pins += 1

        def release() -> None:
            with self._lock:
                entry.pins -= 1
                entry.used = self._clock()

        return Pin(entry.scene, release)

    def close(self, name: str, owner: str) -> None:
        """Forgets a scene; whoever uses it goes on with it.

        Raises:
            UnknownSceneError: there is none of this id and owner, or not any more.
        """
        with self._lock:
            self._find(name, owner)
            del self._entries[name]

    def sweep(self) -> None:
        """Forgets scenes that were not used for too long."""
        with self._lock:
            self._expire()

    def _find(self, name: str, owner: str) -> _Entry:
        self._expire()
        entry = self._entries.get(name)
        if entry is None or entry.owner != owner:
            self.counts.misses += 1
            raise UnknownSceneError(
                "SCENE: no scene has this id, or not any more (unused ones are forgotten); encode the photographs again"
            )
        self.counts.hits += 1
        entry.used = self._clock()
        self._entries.move_to_end(name)
        return entry

    def _expire(self) -> None:
        limit = self._clock() - self._ttl
        for name in [name for name, entry in self._entries.items() if entry.used < limit and not entry.pins]:
            del self._entries[name]
            self.counts.expirations += 1

    def _make_room(self, size: int, scenes: int, owner: str) -> None:
        """Evicts what is not in use, of those who hold most, until there is room for so many bytes and scenes more.

        Raises:
            BusyError: without what others have a better right to there would be none; then none is evicted.
        """
        self._expire()
        left = list(self._entries.items())
        promised = sum(self._reserved.values())
        free = self._max_bytes - promised - self._held()
        places = self._max_scenes - len(self._reserved) - len(self._entries)
        evicted = []
        while size > free or scenes > places:
            held: Counter[str] = Counter({owner: size if size > free else scenes})
            for _, entry in left:
                held[entry.owner] += entry.scene.bytes if size > free else 1
            idle = [(name, entry) for name, entry in left if not entry.pins and held[entry.owner] >= held[owner]]
            if not idle:
                raise BusyError("all memory for scenes is in use; try again in a few seconds, or close a scene")
            # The least recently used is the first; of those who hold as much as the newcomer, the newcomer's own.
            victim = max(idle, key=lambda each: (held[each[1].owner], each[1].owner == owner))
            left.remove(victim)
            evicted.append(victim[0])
            free += victim[1].scene.bytes
            places += 1
        for name in evicted:
            del self._entries[name]
            self.counts.evictions += 1

    def _held(self) -> int:
        return sum(entry.scene.bytes for entry in self._entries.values())
