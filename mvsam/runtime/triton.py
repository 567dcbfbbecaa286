"""What the Python models of `model_repository/` share: tensors by name, and errors that are safe to send.

Imported inside Triton's stub only, which alone provides `triton_python_backend_utils`.
"""

import json
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils  # pyright: ignore[reportMissingImports]

from mvsam.pipeline.encodings import MaskEncoding
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.request import Geometry, Prompts


class Request:
    """The input tensors of one inference request, as NumPy arrays by name.

    Attributes:
        outputs: the names of the outputs that it asks for.
    """

    def __init__(self, request: Any) -> None:
        self._tensors = {tensor.name(): tensor for tensor in request.inputs()}
        self.outputs: list[str] = request.requested_output_names()

    def __getitem__(self, name: str) -> np.ndarray:
        """A tensor that the answer needs.

        Raises:
            RequestError: it is optional in config.pbtxt, and left out where another input calls for it.
        """
        if name not in self._tensors:
            raise RequestError(f"{name} is missing; send it too, or leave out what goes with it")
        return self._tensors[name].as_numpy()

    def get(self, name: str) -> np.ndarray | None:
        """A tensor that config.pbtxt calls optional, None where the request leaves it out."""
        tensor = self._tensors.get(name)
        return None if tensor is None else tensor.as_numpy()


def respond(requests: Sequence[Any], model: str, answer: Callable[[Request], Mapping[str, np.ndarray]]) -> list[Any]:
    """Answers each request by itself: one that fails spoils no other.

    A `RequestError` reaches the client word for word as INVALID_ARGUMENT. Anything else is our fault: the client gets
    INTERNAL with a number under which the traceback stands in the server's log, since a traceback names files.
    """
    return [_respond(request, model, answer) for request in requests]


def _respond(request: Any, model: str, answer: Callable[[Request], Mapping[str, np.ndarray]]) -> Any:
    try:
        decoded = Request(request)
        tensors = answer(decoded)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, tensors[name]) for name in decoded.outputs])
    except RequestError as error:
        return pb_utils.InferenceResponse([], pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG))
    except Exception:
        number = request.request_id() or uuid.uuid4().hex[:8]
        message = f"internal error in {model} (request id {number!a})"
        pb_utils.Logger.log_error(f"{message}\n{traceback.format_exc()}")
        return pb_utils.InferenceResponse([], pb_utils.TritonError(message, pb_utils.TritonError.INTERNAL))


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
