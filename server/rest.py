"""KServe v2 as JSON, with Triton's binary tensors behind it, to and from the messages of gRPC.

Whatever a body holds, it is read as a request or refused by name. Names, shapes and lengths of tensors are left to
`server.tensors`, and parameters to `server.parameters`, which look at the message that is made here, as at those that
come over gRPC.
"""

import itertools
import json
import math
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
from tritonclient.grpc import service_pb2
from tritonclient.utils import deserialize_bytes_tensor

from mvsam.pipeline.errors import quoted
from server.doorman import Refused
from server.errand import SCENES
from server.tensors import ITEM_BYTES, MOST_SIDES, MOST_TENSORS, STRINGS

messages: Any = service_pb2

MOST_JSON = 2**20  # bytes of JSON in a request, and of text in one output: they are read and written in the event loop
MOST_NUMBERS = 2**16  # of one output in JSON, for the same reason
LONG = range(-(2**63), 2**63)
FORMATS = {"BOOL": "?", "FP32": "f", "FP64": "d"} | {
    f"{sign}INT{bits}": letter.upper() if sign else letter
    for bits, letter in ((8, "b"), (16, "h"), (32, "i"), (64, "q"))
    for sign in ("", "U")
}
BINARY, SIZE, ALL_BINARY = "binary_data", "binary_data_size", "binary_data_output"


@dataclass(frozen=True)
class Asked:
    """A request, and how its answer is to be written.

    Attributes:
        request: ModelInferRequest of KServe v2.
        binary: whether an output shall be binary, by its name.
        otherwise: whether those shall that are not in it.
    """

    request: Any
    binary: Mapping[str, bool]
    otherwise: bool

    def is_binary(self, output: str) -> bool:
        """Whether an output shall be binary."""
        return self.binary.get(output, self.otherwise)


def decode(model: str, text: bytes, rest: bytes | memoryview) -> Asked:
    """Reads a request.

    Args:
        model: its name.
        text: the JSON, at most `MOST_JSON` bytes.
        rest: the binary tensors behind it.

    Raises:
        Refused: INVALID_ARGUMENT; the message names the tensor.
    """
    body = _object(_json(text), "the body")
    parameters = _object(body.get("parameters", {}), "parameters")
    request = messages.ModelInferRequest(model_name=model, id=_text(body.get("id", ""), "id"))
    _set(request.parameters, parameters, ALL_BINARY)
    if "inputs" not in body:
        _refuse("the body has no inputs; the model's metadata lists them")
    place = 0
    for number, given in enumerate(_listed_tensors(body["inputs"], "inputs")):
        place = _read_input(request, _object(given, f"input {number}"), number, rest, place)
    if place != len(rest):
        _refuse(f"{len(rest) - place} bytes at the end belong to no input; give each binary input its {SIZE}")
    binary = {}
    for number, given in enumerate(_listed_tensors(body.get("outputs", []), "outputs")):
        wanted = _object(given, f"output {number}")
        name = _text(wanted.get("name"), f"the name of output {number}")
        own = _object(wanted.get("parameters", {}), f"the parameters of output {number}")
        if BINARY in own:
            binary[name] = _flag(own[BINARY], f"{BINARY} of output {number}")
        _set(request.outputs.add(name=name).parameters, own, BINARY)
    asked = Asked(request, binary, _flag(parameters.get(ALL_BINARY, False), ALL_BINARY))
    if model == SCENES:
        _check_lines(asked)
    return asked


def encode(response: Any, asked: Asked) -> tuple[bytes, list[bytes]]:
    """Writes a response: JSON, and the binary outputs behind it.

    Raises:
        Refused: INVALID_ARGUMENT: an output has no form in JSON, or too long a one.
    """
    told: dict[str, Any] = {"id": response.id} if response.id else {}
    told |= {"model_name": response.model_name, "model_version": response.model_version, "outputs": []}
    remedy = "ask for it over gRPC" if response.model_name == SCENES else f"ask for it as {BINARY}"
    binary = []
    for output, content in zip(response.outputs, response.raw_output_contents, strict=True):
        tensor = {"name": output.name, "datatype": output.datatype, "shape": list(output.shape)}
        if asked.is_binary(output.name):
            tensor["parameters"] = {SIZE: len(content)}
            binary.append(content)
        else:
            tensor["data"] = _listed(output.name, output.datatype, content, remedy)
        told["outputs"].append(tensor)
    return json.dumps(told, separators=(",", ":")).encode(), binary


def _json(text: bytes) -> Any:
    try:
        return json.loads(text.decode(), object_pairs_hook=_without_twins, parse_constant=_no_number)
    except UnicodeDecodeError:
        _refuse("the body is not JSON in UTF-8; where binary tensors follow it, send Inference-Header-Content-Length")
    except json.JSONDecodeError as error:
        _refuse(f"the body is not valid JSON at line {error.lineno}, column {error.colno}; correct it")
    except ValueError:  # thousands of digits
        _refuse("the body has a number with too many digits; use one that its type can hold")
    except RecursionError:
        _refuse("the body is nested too deeply; nest data as its shape, or not at all")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        (twin, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        _refuse(f"the key {quoted(twin)} appears twice in one object; give it once")
    return read


def _no_number(constant: str) -> NoReturn:
    _refuse(f"the body has {constant}, which JSON does not allow; send finite numbers")


def _read_input(request: Any, given: dict[str, Any], number: int, rest: bytes | memoryview, place: int) -> int:
    """Adds an input; the place in the binary tensors behind it."""
    name = _text(given.get("name"), f"the name of input {number}")
    datatype = _text(given.get("datatype"), f"the datatype of {quoted(name)}")
    shape = _list(given.get("shape"), f"the shape of {quoted(name)}")
    if len(shape) > MOST_SIDES:
        _refuse(f"{quoted(name)} has {len(shape)} dimensions; use at most {MOST_SIDES}")
    if not all(type(side) is int and side in LONG for side in shape):
        _refuse(f"the shape of {quoted(name)} is not a list of whole numbers; send one such as [1, 2]")
    parameters = _object(given.get("parameters", {}), f"the parameters of {quoted(name)}")
    if (SIZE in parameters) == ("data" in given):
        _refuse(f"{quoted(name)} has both or neither of data and {SIZE}; give one of them")
    if SIZE in parameters:
        size = parameters[SIZE]
        if type(size) is not int or not 0 <= size <= len(rest) - place:
            left = len(rest) - place
            _refuse(f"{quoted(name)} has a {SIZE} that does not fit the {left} bytes left for it; give its bytes")
        content = bytes(rest[place : place + size])
        place += size
    else:
        values = _flat(name, shape, _list(given["data"], f"the data of {quoted(name)}"))
        content = _packed(name, datatype, values)
    _set(request.inputs.add(name=name, datatype=datatype, shape=shape).parameters, parameters, SIZE)
    request.raw_input_contents.append(content)
    return place


def _flat(name: str, shape: list[int], data: list[Any]) -> list[Any]:
    """The values row by row, from a list of them or from lists nested as the shape."""
    if not any(isinstance(value, list) for value in data):
        return data
    rows: list[Any] = [data]
    for side in shape:
        if not all(isinstance(row, list) and len(row) == side for row in rows):
            _refuse(f"the data of {quoted(name)} are not nested like its shape; nest them so, or send a flat list")
        rows = list(itertools.chain.from_iterable(rows))
    return rows


def _packed(name: str, datatype: str, values: list[Any]) -> bytes:
    """As tensors travel in binary."""
    if datatype == STRINGS:
        encoded = [_text(value, f"a string of {quoted(name)}").encode() for value in values]
        return b"".join(struct.pack("<I", len(value)) + value for value in encoded)
    if datatype not in ITEM_BYTES:
        return b""  # refused by its type
    if datatype not in FORMATS:
        _refuse(f"{quoted(name)} has the type {datatype}, which JSON cannot hold; send it with {SIZE}")
    kinds = {bool} if datatype == "BOOL" else {int, float} if datatype.startswith("FP") else {int}
    try:
        if {type(value) for value in values} <= kinds and all(map(math.isfinite, values)):
            return struct.pack(f"<{len(values)}{FORMATS[datatype]}", *values)
    except (struct.error, OverflowError):
        pass
    what = "true or false" if datatype == "BOOL" else "numbers" if float in kinds else "whole numbers"
    _refuse(f"{quoted(name)} has values that {datatype} cannot hold; send {what} in its range")


def _listed(name: str, datatype: str, content: bytes, remedy: str) -> list[Any]:
    """An output's values row by row."""
    if datatype == STRINGS:
        if len(content) > MOST_JSON:
            _refuse(f"{name} has {len(content)} bytes, for JSON at most {MOST_JSON}; {remedy}")
        try:
            return [value.decode() for value in deserialize_bytes_tensor(content)]
        except UnicodeDecodeError:
            _refuse(f"{name} is not text; {remedy}")
    if datatype not in FORMATS:
        _refuse(f"{name} has the type {datatype}, which JSON cannot hold; {remedy}")
    count = len(content) // ITEM_BYTES[datatype]
    if count > MOST_NUMBERS:
        _refuse(f"{name} has {count} numbers, for JSON at most {MOST_NUMBERS}; {remedy}, or name the outputs you need")
    values = list(struct.unpack(f"<{count}{FORMATS[datatype]}", content))
    if not all(map(math.isfinite, values)):
        _refuse(f"{name} has numbers that are not finite, which JSON cannot hold; {remedy}")
    return values


def _check_lines(asked: Asked) -> None:
    """Raises Refused where an answer in parts could not be written, a line of JSON each."""
    if not asked.request.outputs:
        _refuse(f"{SCENES} over HTTP needs outputs: some are too large for JSON; name those you need")
    if any(asked.is_binary(output.name) for output in asked.request.outputs):
        _refuse(f"{SCENES} answers over HTTP in lines of JSON; ask for outputs with {BINARY} false, or over gRPC")


def _set(target: Any, parameters: dict[str, Any], known: str) -> None:
    """Parameters other than the one that is known here: whether they are served is for `server.parameters` to say."""
    for key, value in parameters.items():
        if key == known:
            continue
        parameter = target[_text(key, "the name of a parameter")]
        if isinstance(value, bool):
            parameter.bool_param = value
        elif isinstance(value, int) and value in LONG:
            parameter.int64_param = value
        elif isinstance(value, float):
            parameter.double_param = value
        else:
            parameter.string_param = _text(value, f"parameter {quoted(key)}")


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(f"{what} is not a JSON object; write it as {{...}}")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        _refuse(f"{what} is missing or not a list; write it as [...]")
    return value


def _listed_tensors(value: Any, what: str) -> list[Any]:
    tensors = _list(value, what)
    if len(tensors) > MOST_TENSORS:
        _refuse(f"the body has {len(tensors)} {what}; send at most {MOST_TENSORS}")
    return tensors


def _flag(value: Any, what: str) -> bool:
    if not isinstance(value, bool):
        _refuse(f"{what} is not true or false; send one of them")
    return value


def _text(value: Any, what: str) -> str:
    try:
        if isinstance(value, str):
            value.encode()
            return value
    except UnicodeEncodeError:  # JSON can write half a surrogate pair, UTF-8 cannot
        pass
    _refuse(f"{what} is missing or not a string; give it in quotes")


def _refuse(text: str) -> NoReturn:
    raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "tensors", text)
