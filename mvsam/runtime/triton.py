"""What the Python models of `model_repository/` share: tensors by name, and errors that are safe to send.

Imported inside Triton's stub only, which alone provides `triton_python_backend_utils`.
"""

import json
import math
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils  # pyright: ignore[reportMissingImports]

from mvsam.pipeline.encodings import MaskEncoding
from mvsam.pipeline.errors import BusyError, RequestError, UnknownSceneError
from mvsam.pipeline.request import Geometry, Prompts
from mvsam.runtime.ownership import OWNER
from mvsam.runtime.probe import PROBE
from mvsam.runtime.shared_memory import FULL, TO_CLIENTS, TO_OPERATORS

STATUSES = {  # the first that fits: Triton's name and gRPC's
    UnknownSceneError: ("NOT_FOUND", "NOT_FOUND"),
    RequestError: ("INVALID_ARG", "INVALID_ARGUMENT"),
    BusyError: ("UNAVAILABLE", "UNAVAILABLE"),
}
INTERNAL = ("INTERNAL", "INTERNAL")
LOOK_EVERY = 0.05  # seconds: to ask Triton whether a client has gone takes up to a millisecond


class Request:
    """The input tensors of one inference request, as NumPy arrays by name.

    Args:
        request: Triton's.
        outlived: whether the arrays are used after `execute` has returned, when Triton's own memory is gone.

    Attributes:
        outputs: the names of the outputs that it asks for.
    """

    def __init__(self, request: Any, outlived: bool = False) -> None:
        self._outlived = outlived
        self._tensors = {tensor.name(): tensor for tensor in request.inputs()}
        self.outputs: list[str] = request.requested_output_names()

    def __getitem__(self, name: str) -> np.ndarray:
        """A tensor that the answer needs.

        Raises:
            RequestError: it is optional in config.pbtxt, and left out where another input calls for it.
        """
        if name not in self._tensors:
            raise RequestError(f"{name} is missing; send it too, or leave out what goes with it")
        array = self._tensors[name].as_numpy()
        return array.copy() if self._outlived else array

    def text(self, name: str) -> str:
        """A tensor of one string.

        Raises:
            RequestError: it is missing.
        """
        return self[name].reshape(-1)[0].decode("utf-8", "replace")

    def text_or_none(self, name: str) -> str | None:
        """A tensor of one string that config.pbtxt calls optional."""
        return self.text(name) if name in self._tensors else None

    def get(self, name: str) -> np.ndarray | None:
        """A tensor that config.pbtxt calls optional, None where the request leaves it out."""
        return self[name] if name in self._tensors else None


class StreamedReply:
    """Any number of responses to a request of a decoupled model; safe for threads.

    Args:
        request: Triton's.
        model: its name, for the log.

    Attributes:
        request_id: the request's own, perhaps empty.
        owner: whose it is, as the entry says.
        outputs: names of the tensors that it asks for.
    """

    def __init__(self, request: Any, model: str) -> None:
        self._sender = request.get_response_sender()
        self.outputs: Set[str] = frozenset(request.requested_output_names())
        self.request_id: str = request.request_id()
        self.owner: str = json.loads(request.parameters() or "{}").get(OWNER, "")
        self._model = model
        self._cancelled, self._looked = False, time.monotonic()
        self._ended = threading.Lock()  # taken by whoever ends it, for good
        self._sending = threading.Lock()  # Triton mixes up the tensors of responses that come at once

    @property
    def is_to_probe(self) -> bool:
        """Whether the request only asks for a sign of life: its end."""
        return self.request_id == PROBE

    def send(self, tensors: Mapping[str, np.ndarray], last: bool = False) -> None:
        """One response, of the tensors that were asked for; the last one ends it."""
        if last and not self._ended.acquire(blocking=False):
            return
        wanted = [pb_utils.Tensor(name, array) for name, array in tensors.items() if name in self.outputs]
        flags = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL if last else 0
        try:
            with self._sending:
                self._sender.send(pb_utils.InferenceResponse(wanted), flags=flags)
        except Exception:
            if last:
                self._ended.release()  # `end` shall say why
            raise
        if last:
            return
        if time.monotonic() - self._looked > LOOK_EVERY:
            self._looked = time.monotonic()
            self._cancelled = self._cancelled or self._sender.is_cancelled()

    def end(self, error: Exception | None = None) -> None:
        """The last word, with the error where there is one; only the first end counts."""
        if not self._ended.acquire(blocking=False):
            return
        flags = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        if error is None:
            self._sender.send(flags=flags)
            return
        self._sender.send(_refusal(error, self._model, self.request_id), flags=flags)
        # The frames of its traceback hold the request, and Triton cannot unload a model while anything does.
        error.__traceback__ = None

    def cancel(self) -> None:
        """Lets the rest be left undone."""
        self._cancelled = True

    def is_cancelled(self) -> bool:
        """Whether somebody has said so, or the client had gone a little while ago."""
        return self._cancelled


def respond(requests: Sequence[Any], model: str, answer: Callable[[Request], Mapping[str, np.ndarray]]) -> list[Any]:
    """Answers each request by itself: one that fails spoils no other."""
    return [_respond(request, model, answer) for request in requests]


def _respond(request: Any, model: str, answer: Callable[[Request], Mapping[str, np.ndarray]]) -> Any:
    if request.request_id() == PROBE:
        return pb_utils.InferenceResponse([])
    try:
        decoded = Request(request)
        tensors = answer(decoded)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, tensors[name]) for name in decoded.outputs])
    except Exception as error:
        return _refusal(error, model, request.request_id())


def _refusal(error: Exception, model: str, request_id: str) -> Any:
    """The response to a request that failed.

    Errors that are meant for clients reach them word for word, with their status. Anything else is our fault: the
    client gets INTERNAL with a number under which the traceback stands in the server's log, since a traceback names
    files. The text begins with gRPC's name of the status: in a stream Triton passes on nothing else, and the entry
    tells our words from Triton's by it.
    """
    kind = next((kind for kind in STATUSES if isinstance(error, kind)), None)
    name, text = STATUSES[kind] if kind else INTERNAL, str(error)
    if kind is None and FULL.search(text):
        pb_utils.Logger.log_error(TO_OPERATORS)
        name, text = STATUSES[BusyError], TO_CLIENTS
    elif kind is None:
        number = request_id or uuid.uuid4().hex[:8]
        text = f"internal error in {model} (request id {number!a})"
        pb_utils.Logger.log_error(f"{text}\n{''.join(traceback.format_exception(error))}")
    status, of_grpc = name
    own = f"{of_grpc}: {text}"
    return pb_utils.InferenceResponse([], pb_utils.TritonError(own, getattr(pb_utils.TritonError, status)))


def prompts(request: Request) -> Prompts:
    """The clicks, boxes and masks of a request."""
    return Prompts.of(
        request["POINTS"],
        request["POINT_LABELS"],
        request["POINT_VIEWS"],
        boxes=request.get("BOXES"),
        box_objects=request.get("BOX_OBJECTS"),
        box_views=request.get("BOX_VIEWS"),
        masks=request.get("PROMPT_MASKS"),
        mask_objects=request.get("MASK_OBJECTS"),
        mask_views=request.get("MASK_VIEWS"),
    )


def geometry(request: Request) -> Geometry | None:
    """The user's own geometry, None where the request brings none.

    Raises:
        RequestError: only a part of it is there.
    """
    points, confidence, valid = (request.get(name) for name in ("points", "confidence", "VALID"))
    if points is None and confidence is None and valid is None:
        return None
    if points is None or confidence is None:
        raise RequestError("points and confidence come together; send both, or neither of them and no VALID")
    return Geometry.of(points, confidence, valid)


def encoding(request: Request) -> MaskEncoding:
    """How the masks of the answer are to be encoded."""
    names = request.get("ENCODING")
    return MaskEncoding.RLE if names is None else MaskEncoding.of(names[0])


def parameters(arguments: Mapping[str, str]) -> dict[str, str]:
    """The `parameters` of config.pbtxt, out of what Triton hands to `initialize`."""
    entries = json.loads(arguments["model_config"]).get("parameters", {})
    return {name: entry["string_value"] for name, entry in entries.items()}


def check_one_instance(arguments: Mapping[str, str]) -> None:
    """Refuses a model that keeps something in memory and would run twice.

    Raises:
        ValueError: config.pbtxt asks for more than one instance.
    """
    groups = json.loads(arguments["model_config"])["instance_group"]
    count = sum(int(group["count"]) * max(1, len(group.get("gpus", []))) for group in groups)
    if count != 1:
        raise ValueError(f"config.pbtxt: {arguments['model_name']} must have one instance, not {count}")


def whole_number(parameters: Mapping[str, str], name: str, multiple_of: int = 1) -> int:
    """A positive parameter of config.pbtxt.

    Raises:
        ValueError: it is missing, no whole number, not positive, or no multiple of `multiple_of`.
    """
    text = parameters.get(name, "")
    if not text.isdecimal() or int(text) == 0 or int(text) % multiple_of:
        kind = "a positive whole number" if multiple_of == 1 else f"a positive multiple of {multiple_of}"
        raise ValueError(f"config.pbtxt: parameter {name} must be {kind}, got {text!r}")
    return int(text)


def positive(parameters: Mapping[str, str], name: str) -> float:
    """A positive number among the parameters of config.pbtxt.

    Raises:
        ValueError: it is missing, no number, or not positive.
    """
    try:
        value = float(parameters.get(name, ""))
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise ValueError(f"config.pbtxt: parameter {name} must be a positive number, got {parameters.get(name)!r}")
    return value
