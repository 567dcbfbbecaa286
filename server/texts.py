"""What may be said to clients of an error: our models' own words, and none of Triton's, gRPC's or Python's."""

import re

# Tracebacks, source files, absolute paths, credentials, addresses.
INTERNALS = re.compile(
    r"""Traceback|File\ "|\.py\b|site-packages|(?:^|[\s'"(=:])(?:/[\w.\-]+){2,}|Bearer\s|PRIVATE\ KEY
    |\b(?:ipv[46]|unix):|\b(?:localhost|\d{1,3}(?:\.\d{1,3}){3}):\d|\[[0-9a-f]*:[0-9a-f:]*\]:\d""",
    re.VERBOSE,
)
# Our models begin with gRPC's name of the status (`mvsam.runtime.triton`); Triton may put something in front.
OWN = re.compile(
    r"(?:\[request id: [^\]]*\]\s*|in ensemble '[^']*',\s*)*(INVALID_ARGUMENT|NOT_FOUND|UNAVAILABLE|INTERNAL): (.+)",
    re.DOTALL,
)

LONGEST = 500  # characters: errors travel in gRPC's trailing metadata, of which clients take 8 KB
INTERNAL = "internal error; the server's log says more"
LOST = "the process that served this request was lost; try again in a few seconds"
NOT_READY = "the service is not ready; try again in a few seconds"
# What Triton, and gRPC of Triton, say of a process that has gone.
LOSSES = re.compile(
    "[Ss]tub process|not healthy|not (at )?ready|is unloading|unknown model|has no available versions"
    "|[Ss]ocket closed|failed to connect|[Cc]onnection (reset|refused)"
)


def is_fit_for_clients(text: str) -> bool:
    """Returns whether a message names nothing of our insides."""
    return not INTERNALS.search(text)


def own_words(text: str) -> tuple[str, str] | None:
    """Returns the status and the sentence of an error that a model of ours has raised for clients, not too long.

    Args:
        text: as Triton passes it on.

    Returns:
        None where anybody else says it, or it names our insides.
    """
    found = OWN.fullmatch(text)
    if not found or not is_fit_for_clients(found[2]):
        return None
    status, sentence = found.groups()
    return status, sentence if len(sentence) <= LONGEST else sentence[:LONGEST] + "…"


def instead_of_tritons(status: str, request_id: str) -> tuple[str, str]:
    """Returns a status and a sentence for an error whose own words are not for clients.

    Args:
        status: gRPC's name of it.
        request_id: under which the words stand in the log.
    """
    if status == "INVALID_ARGUMENT":
        return (
            status,
            f"the request does not fit the model (request id {request_id!a}); compare it with the model's metadata",
        )
    return "INTERNAL", f"internal error (request id {request_id!a}); the server's log says more"


def is_loss(status: str, text: str) -> bool:
    """Returns whether an error of Triton's says that a process has gone; gRPC says so of Triton itself."""
    return status == "UNAVAILABLE" or bool(LOSSES.search(text))
