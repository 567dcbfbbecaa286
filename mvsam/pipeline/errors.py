"""Errors whose messages clients may read: they name the input, the cause and the remedy, and nothing of our insides."""

import re

LONGEST_WORD = 40  # characters


def quoted(text: str) -> str:
    """Returns a client's own word, to be told in an error.

    What is no letter, digit, dash or underscore becomes a question mark: a path that a client has sent must not look
    like one of ours.
    """
    word = re.sub(r"[^A-Za-z0-9_\-]", "?", text[:LONGEST_WORD])
    return f"'{word}{'…' if len(text) > LONGEST_WORD else ''}'"


class RequestError(ValueError):
    """The request cannot be served as it is."""


class UnknownSceneError(RequestError):
    """No scene has this id, or not any more."""


class BusyError(RuntimeError):
    """The request cannot be served now; the same one may be later."""
