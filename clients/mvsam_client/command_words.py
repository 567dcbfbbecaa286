"""Errors of the SDK and of the server in the words of the command line: files and options, no tensors."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mvsam_client.errors import MvsamError
from mvsam_client.images import Photograph

_START = r"(?:^|(?<=: )|(?<=\())"  # of a message, or of one in another
_WORDS = (
    (r"\bIMAGES: view (\d+)", r"view \1"),
    (r"\bIMAGES and PROMPT_MASKS have", "the photographs have"),
    (_START + r"IMAGES: ", ""),
    (_START + r"POINT(S|_LABELS|_VIEWS)(?=:? )", "--click"),
    (_START + r"BOX(ES|_OBJECTS|_VIEWS)(?=:? )", "--box"),
    (_START + r"SCENE(?=:? )", "--scene"),
    (r"^url: ", "--url: "),
    (r"^tls: ", ""),
    (r"\(the timeout is in seconds\)", "(--timeout SECONDS)"),
    (r"give the HOST:PORT of another's gRPC endpoint", "name another's gRPC endpoint with --url HOST:PORT"),
    (r"give its authority, Tls\(authority=…\)", "name the file of its authority with --tls-ca"),
    (r"give no `tls`", "leave --tls and --tls-ca out"),
)


def worded(message: str) -> str:
    """A message in which tensors and arguments are options."""
    for pattern, words in _WORDS:
        message = re.sub(pattern, words, message)
    return message


@contextmanager
def naming(photographs: Sequence[Photograph]) -> Iterator[None]:
    """Errors of the block about a view name its file.

    Args:
        photographs: that were sent.
    """

    def name(match: re.Match[str]) -> str:
        view = int(match[1])
        return photographs[view].name if view < len(photographs) else match[0]

    try:
        yield
    except MvsamError as error:
        raise type(error)(re.sub(r"\bIMAGES: view (\d+)", name, str(error))) from None
