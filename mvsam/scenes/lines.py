"""Those who wait for the same thing: owners take turns, and none keeps another's out."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Hashable, Iterator
from typing import Any, Generic, TypeVar

from mvsam.pipeline.errors import BusyError

Job = TypeVar("Job")


class Line(Generic[Job]):
    """Jobs by owner; an owner who is alone may have all places. Not safe for threads.

    Args:
        refusal: what those are told for whom there is no place.
    """

    def __init__(self, refusal: str) -> None:
        self.refusal = refusal
        self._jobs: OrderedDict[Hashable, deque[Job]] = OrderedDict()  # whose turn comes first is first

    def __len__(self) -> int:
        return sum(map(len, self._jobs.values()))

    def __iter__(self) -> Iterator[Job]:
        for jobs in self._jobs.values():
            yield from jobs

    def put(self, owner: Hashable, job: Job, places: int) -> Job | None:
        """Adds a job behind its owner's others.

        Args:
            owner: whose it is.
            job: that waits.
            places: of all owners.

        Returns:
            The job that has to go for it, where no place is left: the last of the owner who has most.

        Raises:
            BusyError: no place is left, and nobody has more of them than this owner would have.
        """
        most = self.check(owner, places)
        displaced = None if most is None else self._jobs[most].pop()
        self._jobs.setdefault(owner, deque()).append(job)
        return displaced

    def check(self, owner: Hashable, places: int) -> Hashable | None:
        """Returns who would have to leave a place to an owner; None where one is free.

        Raises:
            BusyError: as for `put`.
        """
        if len(self) < places:
            return None
        most = max(self._jobs, key=lambda each: len(self._jobs[each]), default=owner)
        if len(self._jobs.get(most, ())) <= len(self._jobs.get(owner, ())) + 1:
            raise BusyError(self.refusal)
        return most

    def take(self, without: Collection[Hashable] = ()) -> tuple[Any, Job] | None:
        """The next job and its owner, of those who are not among some others; None where there is none."""
        for owner, jobs in self._jobs.items():
            if owner not in without:
                job = jobs.popleft()
                self._jobs.move_to_end(owner)
                if not jobs:
                    del self._jobs[owner]
                return owner, job
        return None

    def take_all(self, owner: Hashable, fits: Callable[[Job], bool]) -> list[Job]:
        """An owner's jobs that fit, asked for in their order."""
        return self._filtered([owner] if owner in self._jobs else [], fits)

    def remove(self, is_over: Callable[[Job], bool]) -> list[Job]:
        """Takes jobs out that need not wait any more."""
        return self._filtered(list(self._jobs), is_over)

    def _filtered(self, owners: list[Hashable], is_taken: Callable[[Job], bool]) -> list[Job]:
        taken: list[Job] = []
        for owner in owners:
            left: deque[Job] = deque()
            for job in self._jobs[owner]:
                (taken if is_taken(job) else left).append(job)
            if left:
                self._jobs[owner] = left
            else:
                del self._jobs[owner]
        return taken
