"""One exception per cause, and the reading of the server's error statuses as these."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tritonclient.utils import InferenceServerException


class MvsamError(Exception):
    """Base of every error of this package; its message is one that can be shown to a user."""


class InvalidRequestError(MvsamError):
    """The request is wrong; sending it again cannot help."""


class ServerUnavailableError(MvsamError):
    """No server answers at this address, or it takes no requests now."""


class DeadlineExceededError(MvsamError):
    """The answer did not come in time."""


class ServerError(MvsamError):
    """The server failed; its log says why."""


# Triton puts these in front of the model's own sentence.
_PREFIX = re.compile(r"^(\[request id: [^\]]*\]\s*|in ensemble '[^']*',\s*)+")
# A Python model that fails unexpectedly sends its stack after one of these.
_STACK = re.compile(r"\s*\n\s*(At:\n|Traceback \(most recent call last\):).*", re.DOTALL)


def summary(message: str | None) -> str:
    """The server's message without Triton's prefixes and without a stack trace."""
    return _PREFIX.sub("", _STACK.sub("", "\n" + (message or "")).strip()) or "no further explanation"


def from_status(status: str | None, message: str | None, url: str) -> MvsamError:
    """The exception for a gRPC status.

    Args:
        status: as tritonclient writes it, e.g. "StatusCode.INVALID_ARGUMENT".
        message: the server's explanation.
        url: the address that was called, named in the remedy.
    """
    text = summary(message)
    match (status or "").removeprefix("StatusCode."):
        case "INVALID_ARGUMENT":
            return InvalidRequestError(text)
        case "RESOURCE_EXHAUSTED":
            return InvalidRequestError(f"{text}; send fewer or smaller photographs")
        case "UNAVAILABLE":
            return ServerUnavailableError(
                f"the server at {url} is not available ({text}); start one with `make serve`, "
                f"or give the HOST:PORT of another's gRPC endpoint"
            )
        case "DEADLINE_EXCEEDED":
            return DeadlineExceededError(
                f"the server at {url} did not answer in time; allow more time (the timeout is in seconds) "
                f"or send fewer photographs"
            )
        case "NOT_FOUND":
            return ServerError(f"the server at {url} does not serve this: {text}; load the model or update the server")
        case other:
            return ServerError(f"the server at {url} failed ({other or 'no status'}): {text}; its log has the details")


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turns tritonclient's exception into one of this module's."""
    try:
        yield
    except InferenceServerException as error:
        raise from_status(error.status(), error.message(), url) from None
