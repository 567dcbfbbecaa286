"""Whether a request's tensors are what it says they are: before Triton, which trusts some of it, does its sums."""

import math
import struct
from typing import Any

import grpc

from mvsam.pipeline.errors import quoted
from server.doorman import Refused

ITEM_BYTES = {
    "BOOL": 1,
    **{f"{kind}{bits}": bits // 8 for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)},
    **{"FP16": 2, "FP32": 4, "FP64": 8, "BF16": 2},
}
STRINGS = "BYTES"
# The field of InferTensorContents that holds each type.
CONTENTS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "INT64": "int64_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    STRINGS: "bytes_contents",
}
MOST_TENSORS = 64
MOST_SIDES = 8
MOST_STRINGS = 1000  # more than any request may hold, and soon looked through
LONGEST_NAME = 40  # characters
SHOWN = 40  # characters of a shape in an error


def check_tensors(request: Any) -> None:
    """Checks names, types, shapes and lengths; what the numbers mean is for the models to check.

    Args:
        request: ModelInferRequest of KServe v2.

    Raises:
        Refused: INVALID_ARGUMENT; the message names the tensor.
    """
    if max(len(request.inputs), len(request.outputs), len(request.raw_input_contents)) > MOST_TENSORS:
        raise _refusal(f"the request has more than {MOST_TENSORS} tensors; send those that the model's metadata lists")
    names, outputs = ([tensor.name for tensor in listed] for listed in (request.inputs, request.outputs))
    for name in (*names, *outputs):
        if len(name) > LONGEST_NAME or not (name.isidentifier() and name.isascii()):
            raise _refusal(f"{quoted(name)} is not the name of a tensor; the model's metadata lists the names")
    for listed, remedy in ((names, "send"), (outputs, "ask for")):
        for name in {name for name in listed if listed.count(name) > 1}:
            raise _refusal(f"{name} is given twice; {remedy} it once")
    raw = list(request.raw_input_contents)
    if raw and len(raw) != len(names):
        raise _refusal(f"there are {len(names)} inputs and {len(raw)} raw contents; send one for each input, or none")
    for place, tensor in enumerate(request.inputs):
        name, shape = tensor.name, list(tensor.shape[: MOST_SIDES + 1])
        if len(shape) > MOST_SIDES or any(side < 0 for side in shape):
            raise _refusal(
                f"{name} has the shape {str(shape)[:SHOWN]}; use at most {MOST_SIDES} dimensions of 0 or more"
            )
        if tensor.datatype not in (STRINGS, *ITEM_BYTES):
            kinds = ", ".join((STRINGS, *ITEM_BYTES))
            raise _refusal(f"{name} has the type {quoted(tensor.datatype)}; use one of {kinds}")
        if raw:
            _check_raw(name, tensor.datatype, shape, raw[place])
        else:
            _check_contents(name, tensor.datatype, shape, tensor.contents)


def _check_contents(name: str, datatype: str, shape: list[int], contents: Any) -> None:
    expected, count = CONTENTS.get(datatype), math.prod(shape)
    if expected is None:
        raise _refusal(f"{name} has the type {datatype}, which has no contents; send raw contents")
    if datatype == STRINGS and count > MOST_STRINGS:
        raise _refusal(f"{name} has {count} strings; send at most {MOST_STRINGS}")
    for field, values in contents.ListFields():
        if field.name != expected:
            raise _refusal(f"{name} has {field.name}, but the type {datatype}; send {expected}")
        if len(values) != count:
            raise _refusal(f"{name} has {len(values)} {expected}; {datatype} of shape {shape} has {count}")
    if count and not contents.ListFields():
        raise _refusal(f"{name} has no contents; {datatype} of shape {shape} has {count}")


def _check_raw(name: str, datatype: str, shape: list[int], content: bytes) -> None:
    count = math.prod(shape)
    if datatype == STRINGS:
        _check_strings(name, count, content)
    elif len(content) != count * ITEM_BYTES[datatype]:
        raise _refusal(
            f"{name} has {len(content)} bytes; {datatype} of shape {shape} has {count * ITEM_BYTES[datatype]}"
        )


def _check_strings(name: str, count: int, content: bytes) -> None:
    """Each is written as its length, four bytes, and itself."""
    if count > MOST_STRINGS:
        raise _refusal(f"{name} has {count} strings; send at most {MOST_STRINGS}")
    found = place = 0
    while place + 4 <= len(content) and found <= count:
        (length,) = struct.unpack_from("<I", content, place)
        place += 4 + length
        found += 1
    if place != len(content) or found != count:
        raise _refusal(f"{name} does not hold {count} strings; send each as its length in four bytes, then its bytes")


def _refusal(text: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, "tensors", text)
