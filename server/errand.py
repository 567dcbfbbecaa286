"""One request on its way through Triton: its answers, and what the log and metrics are told of it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from server.doorman import Refused, Token
from server.tensors import MOST_STRINGS, MOST_TENSORS

Metadata = Sequence[tuple[str, str]]

SCENES = "mvsam_scene"  # the public model that answers in parts
ACTIONS = ("encode", "segment", "add", "remove", "describe", "close")

SHORT = (b"rle", b"png")  # encodings of masks


@dataclass(eq=False)
class Errand:
    """One request.

    Attributes:
        request: with an id that nobody else knows.
        token: whose it is.
        trace: metadata.
        told: what the log is told of it.
        answers: responses, then None or a refusal.
        turn: of an ensemble's, for which it waits.
        is_left: whether nobody takes them any more.
        unread: bytes of those that nobody has taken yet.
        held: bytes of the request that count on after its client has left.
        overflow: why no more of them are kept.
    """

    request: Any
    token: Token
    trace: Metadata
    told: dict[str, Any]
    answers: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    call: Any = None
    turn: asyncio.Future[None] | None = None
    is_lost: bool = False
    is_left: bool = False
    unread: int = 0
    held: int = 0
    overflow: Refused | None = None
    started: float = field(default_factory=time.monotonic)
    parts: int = 0

    @property
    def labels(self) -> tuple[str, str]:
        """Model and action, for metrics."""
        return self.told["model"], self.told.get("action", "")


def is_answered_at_length(request: Any) -> bool:
    """Returns whether a click asks for masks that may have tens of megabytes: neither RLE nor PNG."""
    encodings = [_text(request, place) for place, tensor in enumerate(request.inputs) if tensor.name == "ENCODING"]
    return any(encoding not in SHORT for encoding in encodings)


def described_by(request: Any) -> dict[str, Any]:
    """Returns action and number of photographs, as sent: nothing is checked yet."""
    told: dict[str, Any] = {}
    for place, tensor in enumerate(request.inputs[:MOST_TENSORS]):
        if tensor.name == "IMAGES":
            told["views"] = min(tensor.shape[0], MOST_STRINGS + 1) if len(tensor.shape) == 1 else 0
        elif tensor.name == "ACTION":
            action = _text(request, place)
            told["action"] = next((known for known in ACTIONS if known.encode() == action), "unknown")
    return told


def _text(request: Any, place: int) -> bytes:
    """The beginning of the first string of an input, by its place among them."""
    raw, contents = request.raw_input_contents, request.inputs[place].contents.bytes_contents
    return raw[place][4:40] if place < len(raw) else contents[0][:36] if contents else b""
