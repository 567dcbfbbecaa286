"""What may be said to clients."""

import re

# Tracebacks, source files, absolute paths, credentials, addresses.
INTERNALS = re.compile(
    r"""Traceback|File\ "|\.py\b|site-packages|(?:^|[\s'"(=:])(?:/[\w.\-]+){2,}|Bearer\s|PRIVATE\ KEY
    |\b(?:ipv[46]|unix):|\b(?:localhost|\d{1,3}(?:\.\d{1,3}){3}):\d|\[[0-9a-f]*:[0-9a-f:]*\]:\d""",
    re.VERBOSE,
)


LONGEST = 500  # characters: errors travel in gRPC's trailing metadata, of which clients take 8 KB


def is_fit_for_clients(text: str) -> bool:
    """Whether a message names nothing of our insides."""
    return not INTERNALS.search(text)


def fit_for_clients(text: str, request_id: str) -> str:
    """The message, not too long, or where it names our insides another that says where to find it."""
    if not is_fit_for_clients(text):
        return f"internal error (request id {request_id!a}); the server's log says more"
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
