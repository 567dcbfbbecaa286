"""The one error that a request can cause."""


class RequestError(ValueError):
    """The request cannot be served as it is.

    The message names the input, the cause and the remedy, and holds nothing that a client may not read.
    """
