"""Requests that cost far more to check than to send are refused by what is counted first."""

import math
from typing import Any

import pytest
from tritonclient.grpc import service_pb2

from server.doorman import Refused
from server.errand import described_by
from server.rest import decode
from server.tensors import check_tensors
from tests.server.wire import good, request

messages: Any = service_pb2
SIDES = 100_000
LARGE = 2**62


@pytest.fixture(autouse=True)
def no_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products of many sides are numbers of millions of digits: none may be asked for."""
    whole = math.prod

    def product(sides: Any) -> int:
        sides = list(sides)
        assert len(sides) <= 8, "a product of unchecked sides"
        return whole(sides)

    monkeypatch.setattr(math, "prod", product)


def sided(name: str) -> Any:
    message = request("mvsam", good("mvsam"), ())
    next(tensor for tensor in message.inputs if tensor.name == name).shape.extend([LARGE] * SIDES)
    return message


@pytest.mark.parametrize("name", ["IMAGES", "POINTS"])
def test_a_shape_of_many_sides_is_refused_before_it_is_multiplied(name: str):
    message = sided(name)
    assert described_by(message).get("views", 0) <= 1001
    with pytest.raises(Refused, match=f"{name} has the shape .*; use at most 8 dimensions") as refused:
        check_tensors(message)
    assert len(str(refused.value)) < 200


def test_so_is_one_in_json():
    text = b'{"inputs":[{"name":"POINTS","datatype":"FP32","shape":[%s1],"data":[1]}]}' % (b"9," * SIDES)
    with pytest.raises(Refused, match="'POINTS' has 100001 dimensions; use at most 8"):
        decode("mvsam", text, b"")


@pytest.mark.parametrize("kind", ["inputs", "outputs"])
def test_many_tensors_are_refused_before_one_is_read(kind: str):
    of_none = b"{}," * SIDES
    text = b'{"%s":[%s{}]%s}' % (kind.encode(), of_none, b"" if kind == "inputs" else b',"inputs":[]')
    with pytest.raises(Refused, match=f"the body has 100001 {kind}; send at most 64"):
        decode("mvsam", text, b"")
    message = messages.ModelInferRequest(model_name="mvsam")
    getattr(message, kind).extend([getattr(message, kind).add()] * SIDES)
    assert described_by(message) == {}
    with pytest.raises(Refused, match="more than 64 tensors"):
        check_tensors(message)


def test_many_strings_are_refused_whichever_way_they_come():
    message = messages.ModelInferRequest(model_name="mvsam")
    tensor = message.inputs.add(name="IMAGES", datatype="BYTES", shape=[SIDES])
    tensor.contents.bytes_contents.extend([b""] * SIDES)
    with pytest.raises(Refused, match="IMAGES has 100000 strings; send at most 1000"):
        check_tensors(message)
