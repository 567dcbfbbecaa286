"""Requests and answers in JSON: what they mean, and that whatever else is refused by name."""

import json
import random
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import service_pb2
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, InferResult

from server.doorman import Refused
from server.parameters import check_parameters
from server.rest import MOST_JSON, MOST_NUMBERS, Asked, decode, encode
from server.tensors import check_tensors
from server.texts import is_fit_for_clients
from tests.server.wire import PHOTOGRAPH, as_raw, files, floats, good, integers, request

messages: Any = service_pb2
MUTATIONS = 4000
SCENE = "mvsam_scene"


def tensor(name: str, datatype: str, shape: Any, data: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data, **more}


def body(*inputs: Any, **more: Any) -> bytes:
    return json.dumps({"inputs": list(inputs), **more}).encode()


def one(datatype: str, shape: Any, data: Any) -> bytes:
    return body(tensor("X", datatype, shape, data))


def sized(size: Any, shape: Any = (2,)) -> bytes:
    return body({"name": "X", "datatype": "INT8", "shape": list(shape), "parameters": {"binary_data_size": size}})


def answer(*arrays: tuple[str, np.ndarray], model: str = "mvsam") -> Any:
    response = messages.ModelInferResponse(id="7", model_name=model, model_version="1")
    for name, array in arrays:
        raw = as_raw(array)
        response.outputs.add(name=name, datatype=raw.datatype, shape=raw.shape)
        response.raw_output_contents.append(raw.content)
    return response


def asked(binary: bool) -> Asked:
    return Asked(None, {}, binary)


def of_tritons_client(binary: bool) -> tuple[bytes, bytes]:
    """A good request as Triton's own client writes it; photographs are always binary."""
    inputs = []
    for name, array in good("mvsam").items():
        assert isinstance(array, np.ndarray)
        given = InferInput(name, list(array.shape), as_raw(array).datatype)
        inputs.append(given.set_data_from_numpy(array, binary_data=binary or name == "IMAGES"))
    outputs = [InferRequestedOutput("MASKS", binary_data=False), InferRequestedOutput("AREAS")]
    text, length = InferenceServerClient.generate_request_body(inputs, outputs, request_id="7")
    return text[:length], text[length:]


@pytest.mark.parametrize("binary", [True, False])
def test_what_tritons_client_writes_is_the_message_that_it_would_send_over_grpc(binary: bool):
    read = decode("mvsam", *of_tritons_client(binary))
    expected = request("mvsam", good("mvsam"), ("MASKS", "AREAS"))
    expected.id = "7"
    assert read.request == expected
    assert not read.is_binary("MASKS") and read.is_binary("AREAS") and not read.is_binary("SCORES")
    check_tensors(read.request)


@pytest.mark.parametrize(
    ("datatype", "data", "array"),
    [
        ("FP32", [1, 2.5, -3e-5, 4], floats([[1, 2.5], [-3e-5, 4]])),
        ("FP32", [[1, 2.5], [-3e-5, 4]], floats([[1, 2.5], [-3e-5, 4]])),
        ("INT32", [[-(2**31), 1], [2, 2**31 - 1]], integers([[-(2**31), 1], [2, 2**31 - 1]])),
        ("UINT64", [0, 2**64 - 1, 1, 2], np.array([[0, 2**64 - 1], [1, 2]], np.uint64)),
        ("BOOL", [[True, False], [False, True]], np.array([[True, False], [False, True]])),
        ("BYTES", [["", "é"], ["ab", "\x00"]], files(b"", "é".encode(), b"ab", b"\x00").reshape(2, 2)),
    ],
)
def test_values_are_read_row_by_row_nested_or_not(datatype: str, data: Any, array: np.ndarray):
    assert decode("mvsam", one(datatype, [2, 2], data), b"").request.raw_input_contents[0] == as_raw(array).content


def test_parameters_of_the_request_are_those_of_the_message():
    told = body(parameters={"timeout": 5, "a": True, "b": "c", "d": 0.5, "binary_data_output": True})
    read = decode("mvsam", told, b"")
    values = read.request.parameters
    assert values["timeout"].int64_param == 5 and values["a"].bool_param and values["b"].string_param == "c"
    assert values["d"].double_param == 0.5 and "binary_data_output" not in values and read.is_binary("MASKS")


@pytest.mark.parametrize(
    ("place", "name"),
    [
        *[("the request", name) for name in ("timeout", "binary_data", "binary_data_size", "shared_memory_region")],
        *[("X", name) for name in ("binary_data", "binary_data_output", "shared_memory_region", "content_type")],
        *[("Y", name) for name in ("binary_data_size", "binary_data_output", "classification", "anything")],
    ],
)
def test_parameters_that_are_not_served_where_they_are_are_refused_by_name(place: str, name: str):
    own: dict[str, Any] = {"parameters": {name: 1}}
    outputs = [{"name": "Y", **(own if place == "Y" else {})}]
    given = tensor("X", "FP32", [1], [1], **(own if place == "X" else {}))
    text = body(given, outputs=outputs, **(own if place == "the request" else {}))
    with pytest.raises(Refused, match=f"{place} has the parameter '{name}': .*; ") as refused:
        read(text, b"")
    assert refused.value.status.name == "INVALID_ARGUMENT"


@pytest.mark.parametrize("binary", [True, False])
def test_tritons_client_reads_what_was_written(binary: bool):
    arrays = {
        "MASKS": files(b'{"size": [2, 3]}', "\u00e9\\".encode()).reshape(1, 2),
        "SCORES": floats([[0.1, 1e-30]]),
        "AREAS": np.array([[2**62, -1]]),
        "FLAGS": np.array([True, False]),
        "NOTHING": floats(np.zeros((0, 2))),
    }
    text, rest = encode(answer(*arrays.items()), asked(binary))
    header = len(text) if binary else None
    read = InferResult.from_response_body(b"".join((text, *rest)), header_length=header)
    told = read.get_response()
    assert (told["id"], told["model_name"], told["model_version"]) == ("7", "mvsam", "1")
    for name, array in arrays.items():
        values: Any = read.as_numpy(name)
        if name == "MASKS" and not binary:
            values = np.array([[text.encode() for text in row] for row in values], object)
        assert values.shape == array.shape and (values == array).all(), name


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (files(PHOTOGRAPH), "X is not text; "),
        (files(b"a" * MOST_JSON), "X has 1048580 bytes, for JSON at most 1048576; "),
        (floats(np.zeros(MOST_NUMBERS + 1)), "X has 65537 numbers, for JSON at most 65536; "),
        (floats([np.nan]), "X has numbers that are not finite"),
        (np.zeros(1, np.float16), "X has the type FP16, which JSON cannot hold; "),
    ],
)
def test_an_output_that_json_cannot_hold_is_named_with_a_remedy(array: np.ndarray, says: str):
    for model, remedy in (("mvsam", "ask for it as binary_data"), (SCENE, "ask for it over gRPC")):
        with pytest.raises(Refused, match=f"{says}.*{remedy}"):
            encode(answer(("X", array), model=model), asked(False))
    assert encode(answer(("X", array)), asked(True))[1] == [as_raw(array).content]


def test_scenes_answer_in_lines_of_json_only():
    decode(SCENE, body(outputs=[{"name": "SCENE"}]), b"")
    for told in (
        body(outputs=[{"name": "SCENE", "parameters": {"binary_data": True}}]),
        body(outputs=[{"name": "SCENE"}], parameters={"binary_data_output": True}),
    ):
        with pytest.raises(Refused, match="binary_data false, or over gRPC"):
            decode(SCENE, told, b"")
    with pytest.raises(Refused, match="name those you need"):
        decode(SCENE, body(), b"")


REFUSALS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not valid JSON at line 1, column 1"),
    "no JSON": (b"{'inputs': []}", "not valid JSON at line 1, column 2"),
    "a photograph": (PHOTOGRAPH, "not JSON in UTF-8"),
    "UTF-16": (body().decode().encode("utf-16"), "not JSON in UTF-8"),
    "a list": (b"[]", "the body is not a JSON object"),
    "no inputs": (b"{}", "no inputs"),
    "a key twice": (b'{"inputs": [], "inputs": []}', "the key 'inputs' appears twice"),
    "deeply nested": (b'{"inputs": ' + b"[" * 100_000, "nested too deeply"),
    "deeply nested data": (one("FP32", [2], json.loads("[" * 500 + "]" * 500)), "the data of 'X' are not nested"),
    "NaN": (b'{"inputs": [NaN]}', "NaN, which JSON does not allow; send finite"),
    "infinity": (b'{"inputs": [-Infinity]}', "-Infinity, which JSON does not allow"),
    "out of range": (one("FP32", [1], [1e39]), "'X' has values that FP32 cannot hold; send numbers"),
    "out of every range": (one("FP64", [1], [0]).replace(b"[0]", b"[1e999]"), "'X' has values that FP64"),
    "a huge number": (one("FP32", [1], [10**400]), "'X' has values that FP32"),
    "a number too long to read": (b'{"inputs": ' + b"1" * 5000 + b"}", "number with too many digits"),
    "too large for its type": (one("UINT8", [1], [256]), "'X' has values that UINT8 .* send whole numbers"),
    "negative without a sign": (one("UINT32", [1], [-1]), "'X' has values that UINT32"),
    "a fraction": (one("INT32", [1], [1.5]), "'X' has values that INT32"),
    "a string for a number": (one("FP32", [1], ["1"]), "'X' has values that FP32"),
    "true for a number": (one("INT32", [1], [True]), "'X' has values that INT32"),
    "a number for true": (one("BOOL", [1], [1]), "'X' has values that BOOL cannot hold; send true or false"),
    "a number for a string": (one("BYTES", [1], [1]), "a string of 'X' is missing or not a string"),
    "half a surrogate pair": (one("BYTES", [1], ["\ud800"]), "a string of 'X'"),
    "null": (one("FP32", [1], [None]), "'X' has values that FP32"),
    "no list": (one("FP32", [], 1), "the data of 'X' is missing or not a list"),
    "ragged": (one("FP32", [2, 2], [[1], [2, 3, 4]]), "the data of 'X' are not nested like its shape"),
    "nested otherwise": (one("FP32", [4], [[1, 2], [3, 4]]), "the data of 'X' are not nested like its shape"),
    "too few": (one("FP32", [3], [1, 2]), r"X has 8 bytes; FP32 of shape \[3\] has 12"),
    "too few strings": (one("BYTES", [2], ["a"]), "X does not hold 2 strings"),
    "a huge shape": (one("FP32", [2**62, 2], [1]), "X has 4 bytes"),
    "a shape beyond 64 bits": (
        one("FP32", [2**63], [1]),
        "the shape of 'X' is not a list of whole numbers",
    ),
    "a negative side": (one("FP32", [-1], [1]), r"X has the shape \[-1\]"),
    "a fraction of a side": (
        one("FP32", [1.0], [1]),
        "the shape of 'X' is not a list of whole numbers",
    ),
    "no shape": (one("FP32", None, [1]), "the shape of 'X' is missing"),
    "no type": (one("", [1], [1]), "X has the type"),
    "an unknown type": (one("FLOAT", [1], [1]), "X has the type 'FLOAT'; use one of BYTES"),
    "a type without a form": (one("FP16", [1], [1]), "'X' has the type FP16, .* send it with binary_data_size"),
    "no name": (body({"datatype": "FP32", "shape": [1], "data": [1]}), "the name of input 0 is missing"),
    "a path for a name": (body(tensor("/etc/passwd", "FP32", [1], [1])), "'.etc.passwd' is not the name of a tensor"),
    "a name twice": (body(*[tensor("X", "FP32", [1], [1])] * 2), "X is given twice"),
    "no data": (body({"name": "X", "datatype": "FP32", "shape": [1]}), "'X' has both or neither"),
    "data twice": (body(tensor("X", "INT8", [1], [1], parameters={"binary_data_size": 1})), "'X' has both or neither"),
    "more than there is": (sized(6), "'X' has a binary_data_size that does not fit the 4 bytes"),
    "a negative size": (sized(-1), "'X' has a binary_data_size"),
    "a size in words": (sized("4"), "'X' has a binary_data_size"),
    "true for a size": (sized(True), "'X' has a binary_data_size"),
    "less than there is": (sized(2), "2 bytes at the end belong to no input"),
    "a size beside its shape": (sized(4), r"X has 4 bytes; INT8 of shape \[2\] has 2"),
    "an id that is no text": (body(id=3), "id is missing or not a string"),
    "parameters in a list": (body(parameters=[]), "parameters is not a JSON object"),
    "a parameter in a list": (body(parameters={"a": [1]}), "parameter 'a' is missing or not a string"),
    "a huge parameter": (body(parameters={"a": 2**63}), "parameter 'a'"),
    "an output without a name": (body(outputs=[{}]), "the name of output 0"),
    "binary neither true nor false": (
        body(outputs=[{"name": "X", "parameters": {"binary_data": 1}}]),
        "binary_data of output 0 is not true or false",
    ),
    "too many tensors": (
        body(*[tensor(f"X{k}", "FP32", [1], [1]) for k in range(65)]),
        "the body has 65 inputs; send at most 64",
    ),
}


def read(text: bytes, rest: bytes) -> None:
    request = decode("mvsam", text, rest).request
    check_tensors(request)
    check_parameters(request)


@pytest.mark.parametrize(("text", "says"), REFUSALS.values(), ids=REFUSALS.keys())
def test_others_are_refused_by_name(text: bytes, says: str):
    with pytest.raises(Refused, match=says) as refused:
        read(text, bytes(4) if b"binary_data_size" in text else b"")
    assert refused.value.status.name == "INVALID_ARGUMENT"
    assert "; " in str(refused.value) or "strings, each its length" in str(refused.value), "no remedy"
    assert len(str(refused.value)) < 300 and is_fit_for_clients(str(refused.value))


def test_whatever_is_done_to_a_body_it_is_read_or_refused():
    rng = random.Random(0)
    refusals = 0
    for _ in range(MUTATIONS):
        text, rest = (bytearray(part) for part in of_tritons_client(binary=rng.random() < 0.5))
        if rng.random() < 0.5:
            text = bytearray(json.dumps(mutated(json.loads(text), rng)).encode())
        for _ in range(rng.choice((0, 1, 1, 3))):
            part = rng.choice((text, text, rest))
            place = rng.randrange(len(part) + 1)
            part[place : place + rng.choice((0, 1, 1, 5))] = rng.randbytes(rng.choice((0, 1, 4)))
        try:
            read(bytes(text), bytes(rest))
        except Refused as refused:
            assert refused.status.name == "INVALID_ARGUMENT" and is_fit_for_clients(str(refused))
            refusals += 1
    assert MUTATIONS / 10 < refusals < MUTATIONS


def mutated(value: Any, rng: random.Random) -> Any:
    """JSON with something in it replaced, left out or doubled."""
    others = (
        None,
        True,
        -1,
        0,
        2**31,
        2**64,
        10**400,
        1.5,
        1e300,
        "",
        "X",
        "\ud800",
        "/etc/passwd",
        [],
        [[1]],
        {},
        {"a": 1},
    )
    if not value or not isinstance(value, list | dict) or rng.random() < 0.1:
        return rng.choice(others)
    if isinstance(value, list):
        place = rng.randrange(len(value))
        here = rng.choice(([], [value[place]] * 2, [mutated(value[place], rng)], [mutated(value[place], rng)]))
        return [*value[:place], *here, *value[place + 1 :]]
    key = rng.choice(list(value))
    changed = {other: value[other] for other in value if other != key or rng.random() < 0.8}
    return changed | {rng.choice((key, key, "data", "parameters")): mutated(value[key], rng)}
