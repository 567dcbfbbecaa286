"""Errors whose messages clients may read: they name the input, the cause and the remedy, and nothing of our insides."""

import re

_WORD = re.compile(r"[A-Za-z0-9_\-]{1,40}")


def quoted(text: str) -> str:
    """A client's own word, to be told in an error; anything else than a word may look like our insides, so is not."""
    return repr(text) if _WORD.fullmatch(text) else "no word of at most 40 letters"


class RequestError(ValueError):
    """The request cannot be served as it is."""


class UnknownSceneError(RequestError):
    """No scene has this id, or not any more."""


class BusyError(RuntimeError):
    """The request cannot be served now; the same one may be later."""
