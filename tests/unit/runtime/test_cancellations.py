"""A cancellation finds its request, whichever comes first."""

import gc

import pytest

from mvsam.runtime.cancellations import KEPT, Cancellations


class Reply:
    def __init__(self, request_id: str) -> None:
        self.request_id, self.cancelled = request_id, 0

    def cancel(self) -> None:
        self.cancelled += 1


@pytest.mark.parametrize("early", [True, False])
def test_only_the_one_that_is_meant_is_cancelled(early: bool) -> None:
    cancellations, meant, other, nameless = Cancellations(), Reply("a"), Reply("b"), Reply("")
    if early:
        cancellations.cancel("a")
    for reply in (meant, other, nameless):
        cancellations.watch(reply)
    if not early:
        cancellations.cancel("a")
    assert [reply.cancelled for reply in (meant, other, nameless)] == [1, 0, 0]


def test_requests_that_ended_are_not_kept_alive_and_early_ones_are_forgotten_at_last() -> None:
    cancellations = Cancellations()
    cancellations.watch(Reply("gone"))
    gc.collect()
    cancellations.cancel("gone")
    for number in range(KEPT):
        cancellations.cancel(str(number))
    first, last = Reply("gone"), Reply("0")
    for reply in (first, last):
        cancellations.watch(reply)
    assert (first.cancelled, last.cancelled) == (0, 1)
