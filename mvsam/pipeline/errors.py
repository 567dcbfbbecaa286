"""Errors whose messages clients may read: they name the input, the cause and the remedy, and nothing of our insides."""


class RequestError(ValueError):
    """The request cannot be served as it is."""


class UnknownSceneError(RequestError):
    """No scene has this id, or not any more."""


class BusyError(RuntimeError):
    """The request cannot be served now; the same one may be later."""
