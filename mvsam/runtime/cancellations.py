"""Which request somebody no longer waits for, told by another request that may be faster than it."""

from collections import OrderedDict
from typing import Protocol
from weakref import WeakValueDictionary

KEPT = 1000  # ids that no request has yet, or had


class Cancellable(Protocol):
    """A reply whose rest can be left undone."""

    request_id: str

    def cancel(self) -> None: ...


class Cancellations:
    """Of one model; lives in the thread that its requests come in by. Ids are never used again."""

    def __init__(self) -> None:
        self._replies: WeakValueDictionary[str, Cancellable] = WeakValueDictionary()
        self._early: OrderedDict[str, None] = OrderedDict()

    def watch(self, reply: Cancellable) -> None:
        """A request has come in; perhaps its cancellation did so before, as a large one takes longer to arrive."""
        if not reply.request_id:
            return
        self._replies[reply.request_id] = reply
        if reply.request_id in self._early:
            del self._early[reply.request_id]
            reply.cancel()

    def cancel(self, request_id: str) -> None:
        """Nobody waits for that request any more."""
        if reply := self._replies.get(request_id):
            reply.cancel()
            return
        self._early[request_id] = None
        while len(self._early) > KEPT:
            self._early.popitem(last=False)
