"""What is tried again, how often and when; the same for threads and for asyncio."""

import random
import reprlib
import time
from dataclasses import dataclass
from numbers import Real

from mvsam_client.errors import InvalidRequestError, ServerBusyError, ServerNotReadyError, ServerUnavailableError

RETRIES = 8
# Seconds: the pauses double, up to the longest. All of them together outlast a restart of the server.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0
WITHOUT_END = 1e9  # seconds, some thirty years: what gRPC makes of much longer ones has passed already


@dataclass(frozen=True)
class Persistence:
    """How a client deals with passing failures.

    Attributes:
        retries: how often a request is repeated while the server is unavailable; 0 for never.
        reencode: whether scenes keep their photographs, so that one that the server has lost is encoded again.
    """

    retries: int = RETRIES
    reencode: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.retries, int) or self.retries < 0:
            raise InvalidRequestError(
                f"retries: {reprlib.repr(self.retries)} is no whole number from 0; give 0 to try once, or more"
            )


def checked_timeout(timeout: float | None) -> float:
    """Returns a user's timeout in seconds, `WITHOUT_END` for None, infinity and whatever is longer.

    Raises:
        InvalidRequestError: it is no number above 0.
    """
    if timeout is None:
        return WITHOUT_END
    if isinstance(timeout, bool) or not isinstance(timeout, Real) or not timeout > 0:
        raise InvalidRequestError(
            f"timeout: {reprlib.repr(timeout)} is no time; give seconds above 0, or None to wait without end"
        )
    return float(min(timeout, WITHOUT_END))


class Attempts:
    """Of one request.

    Args:
        retries: how often it may be repeated.
        timeout: seconds for all attempts together.
        changes: whether it must not be done twice, so that only the server's own word that it was not done counts.

    Attributes:
        begun: whether a part of an answer has been handed on; then nothing is repeated.
    """

    def __init__(self, retries: int, timeout: float, *, changes: bool = False) -> None:
        self.begun = False
        self._left, self._until, self._changes = retries, time.monotonic() + timeout, changes
        self._pause = FIRST_PAUSE

    @property
    def seconds(self) -> float:
        """That are left."""
        return max(0.0, self._until - time.monotonic())

    def pause(self, error: ServerUnavailableError, has_answered: bool) -> float:
        """Seconds to wait before the next attempt.

        Args:
            error: what the last one ended with.
            has_answered: whether the server ever has; one that never did is not about to come back.

        Raises:
            ServerUnavailableError: this very one, where no attempt is to follow.
        """
        # Clients that were refused together shall not come back together.
        pause = self._pause * random.uniform(0.5, 1)
        may_be_done = not isinstance(error, ServerBusyError | ServerNotReadyError)
        is_settled = self.begun or not has_answered or (self._changes and may_be_done)
        if is_settled or not self._left or pause >= self.seconds:
            raise error
        self._left -= 1
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return pause
