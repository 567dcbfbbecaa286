"""One exception per cause, and the reading of the server's error statuses as these."""

import re


class MvsamError(Exception):
    """Base of every error of this package; its message is one that can be shown to a user."""


class InvalidRequestError(MvsamError):
    """The request is wrong; sending it again cannot help."""


class UnknownAnswerError(InvalidRequestError):
    """The server does not keep the answer that is to be refined, or not any more."""


class MissingExtraError(MvsamError):
    """What was asked for needs a package that is not installed; the message names the extra that brings it."""


class ServerUnavailableError(MvsamError):
    """No server answers at this address, or it takes no requests now."""


class ServerBusyError(ServerUnavailableError):
    """The server did not do this, says so, and may do it later."""


class ServerNotReadyError(ServerUnavailableError):
    """The server is starting, stopping or has lost a part of itself; it did not do this, and is soon back."""


class SceneChangedError(ServerUnavailableError):
    """Another request changed the scene while this one was about to; look at the scene and decide again."""


class UnknownSceneError(MvsamError):
    """The server does not hold this scene, or not any more."""


class UnauthenticatedError(MvsamError):
    """The server asks for a token, and this is none."""


class DeadlineExceededError(MvsamError):
    """The answer did not come in time."""


class ServerError(MvsamError):
    """The server failed; its log says why."""


def missing_extra(what: str, extra: str) -> MissingExtraError:
    """The error of a package that is not installed.

    Args:
        what: needs which package.
        extra: of this distribution, which brings it. It is on no index, so it is installed from the project's folder.
    """
    return MissingExtraError(
        f"{what}, which is not installed; in the project's folder: pip install './clients[{extra}]'"
    )


# Triton puts these in front of the model's own sentence.
_PREFIX = re.compile(r"^(\[request id: [^\]]*\]\s*|in ensemble '[^']*',\s*)+")
# The models and the entry begin with this in a stream.
_STATUS = re.compile(r"(NOT_FOUND|INVALID_ARGUMENT|UNAVAILABLE|UNAUTHENTICATED|INTERNAL): ")
# How the entry and the models call an outage; what else is to be tried again is too much to do.
_OUTAGE = re.compile(r"not ready|was lost|is stopping|Stub process|is not healthy")
# A Python model that fails unexpectedly sends its stack after one of these.
_STACK = re.compile(r"\s*\n\s*(At:\n|Traceback \(most recent call last\):).*", re.DOTALL)


def summary(message: str | None) -> str:
    """The server's message without Triton's prefixes and without a stack trace."""
    return _PREFIX.sub("", _STACK.sub("", "\n" + (message or "")).strip()) or "no further explanation"


def split_status(message: str) -> tuple[str, str]:
    """The status and the text of an error in a stream, where gRPC has no place for the former.

    The server's models begin with it; what Triton says by itself is that the request does not fit the model, or that
    the model's process was lost.
    """
    text = summary(message)
    if match := _STATUS.match(text):
        return match[1], text[match.end() :]
    return ("UNAVAILABLE", f"{text}; try again") if "Stub process" in text else ("INVALID_ARGUMENT", text)


def from_status(status: str, message: str | None, url: str) -> MvsamError:
    """The exception for a gRPC status.

    Args:
        status: gRPC's name for it, e.g. "INVALID_ARGUMENT".
        message: the server's explanation.
        url: the address that was called, named in the remedy.
    """
    text = summary(message)
    match status:
        case "INVALID_ARGUMENT" if text.startswith("PREVIOUS names no answer"):
            return UnknownAnswerError(text)
        case "INVALID_ARGUMENT":
            return InvalidRequestError(text)
        case "UNAUTHENTICATED":
            return UnauthenticatedError(
                f"the server at {url} lets nobody in without a token; give Client(url, token=…)"
            )
        case "RESOURCE_EXHAUSTED":
            return InvalidRequestError(f"{text}; send fewer or smaller photographs")
        case "UNAVAILABLE" if "changed the scene" in text:
            return SceneChangedError(f"the server at {url} left the scene as it is: {text}")
        case "UNAVAILABLE" if "try again" in text and _OUTAGE.search(text):
            return ServerNotReadyError(f"the server at {url} is not available now: {text}")
        case "UNAVAILABLE" if "try again" in text:
            return ServerBusyError(f"the server at {url} takes no more requests now: {text}")
        case "UNAVAILABLE" if "http1" in text or "selected ALPN" in text:
            return ServerUnavailableError(
                f"the server at {url} speaks HTTP on this port, not gRPC; give the port of its gRPC endpoint, which is "
                "8001 where nothing else was said"
            )
        case "UNAVAILABLE" if "WRONG_VERSION_NUMBER" in text:
            return ServerUnavailableError(
                f"the server at {url} is not encrypted on this port; give no `tls`, or give the port of its encrypted "
                "gRPC endpoint"
            )
        case "UNAVAILABLE" if "CERTIFICATE_VERIFY_FAILED" in text:
            return ServerUnavailableError(
                f"the certificate of the server at {url} is signed by nobody whom this client trusts, or is for "
                "another host; give its authority, Tls(authority=…)"
            )
        case "UNAVAILABLE" if "failed to connect" in text and "Socket closed" in text:
            return ServerUnavailableError(
                f"what listens at {url} ends the connection at once: perhaps it is encrypted, then give its authority, "
                "Tls(authority=…), or it has too many clients"
            )
        case "UNAVAILABLE":
            return ServerUnavailableError(
                f"the server at {url} is not available ({text}); start one with `make serve`, "
                f"or give the HOST:PORT of another's gRPC endpoint"
            )
        case "CANCELLED":  # not by this client: what reaches a server in its last moment ends so
            return ServerUnavailableError(
                f"the server at {url} ended before it had answered; ask again, or start one with `make serve`"
            )
        case "DEADLINE_EXCEEDED":
            return DeadlineExceededError(
                f"the server at {url} did not answer in time; allow more time (the timeout is in seconds) "
                f"or send fewer photographs"
            )
        case "NOT_FOUND" if text.startswith("SCENE"):
            return UnknownSceneError(text)
        case "NOT_FOUND":
            return ServerError(f"the server at {url} does not serve this: {text}; load the model or update the server")
        case other:
            return ServerError(f"the server at {url} failed ({other}): {text}; its log has the details")
