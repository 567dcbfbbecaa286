"""What the entry refuses of a request's tensors before anybody works with them."""

import struct
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from server.doorman import Refused
from server.tensors import check_tensors
from server.texts import is_fit_for_clients
from tests.server.wire import Raw, files, good, request

messages: Any = service_pb2


def one(datatype: str, shape: list[int], content: bytes, name: str = "X") -> Any:
    return request("mvsam", {name: Raw(datatype, shape, content)}, ())


def with_contents(count: int, datatype: str = "FP32") -> Any:
    message = messages.ModelInferRequest(model_name="mvsam")
    tensor = message.inputs.add(name="X", datatype=datatype, shape=[2])
    tensor.contents.fp32_contents.extend([1.0] * count)
    return message


def twice() -> Any:
    message = one("INT32", [1], bytes(4))
    message.inputs.add(name="X", datatype="INT32", shape=[1])
    message.raw_input_contents.append(bytes(4))
    return message


def without_content() -> Any:
    message = one("INT32", [1], bytes(4))
    message.inputs.add(name="Y", datatype="INT32", shape=[1])
    return message


@pytest.mark.parametrize(
    "message",
    [
        request("mvsam_pointmap", good("mvsam_pointmap"), ("MASKS",)),
        request("mvsam", {"X": files(b"", b"abc", bytes(300))}, ()),
        request("mvsam", {"X": np.zeros((0, 2), np.float32)}, ()),
        one("BYTES", [], struct.pack("<I", 2) + b"ab"),
        with_contents(2),
    ],
    ids=["a good one", "strings", "an empty tensor", "a lone string", "typed contents"],
)
def test_honest_tensors_pass(message):
    check_tensors(message)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (one("FP32", [2**62, 2], bytes(8)), "X has 8 bytes"),
        (one("FP32", [2**32, 2**32], b""), "X has 0 bytes"),
        (one("FP32", [-1], bytes(4)), "shape"),
        (one("FP32", [1] * 9, bytes(4)), "shape"),
        (one("FP32", [2], bytes(4)), r"X has 4 bytes; FP32 of shape \[2\] has 8"),
        (one("STRING", [1], bytes(4)), "type 'STRING'"),
        (one("BYTES", [2], struct.pack("<I", 2) + b"ab"), "2 strings"),
        (one("BYTES", [1], struct.pack("<I", 2) * 3), "1 strings"),
        (one("BYTES", [1], struct.pack("<I", 2**32 - 1) + b"ab"), "1 strings"),
        (one("BYTES", [2**62], struct.pack("<I", 0)), "strings"),
        (one("BYTES", [1001], bytes(4004)), "send at most 1000"),
        (one("INT32", [1], b"", name="../../etc/passwd\n" * 9), "etc.passwd.*…' is not the name of a tensor"),
        (one("INT32", [1], bytes(4), name="/etc/passwd"), "'.etc.passwd' is not the name of a tensor"),
        (one("/srv/x.py", [1], bytes(4)), "the type '.srv.x.py'"),
        (with_contents(3), r"X has 3 fp32_contents; FP32 of shape \[2\] has 2"),
        (with_contents(2, "INT32"), "X has fp32_contents, but the type INT32; send int_contents"),
        (with_contents(2, "FP16"), "X has the type FP16, which has no contents; send raw contents"),
        (with_contents(0), r"X has no contents; FP32 of shape \[2\] has 2"),
        (twice(), "X is given twice"),
        (without_content(), "2 inputs and 1 raw contents"),
        (request("mvsam", good("mvsam"), ("x" * 101,)), "'x{40}…' is not the name of a tensor"),
        (request("mvsam", good("mvsam"), ("MASKS", "AREAS", "MASKS")), "MASKS is given twice; ask for it once"),
        (request("mvsam", {f"X{k}": np.zeros(1) for k in range(65)}, ()), "more than 64"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_others_are_refused_by_name(message, says):
    with pytest.raises(Refused, match=says) as refused:
        check_tensors(message)
    assert refused.value.status.name == "INVALID_ARGUMENT"
    assert len(str(refused.value)) < 300
    assert is_fit_for_clients(str(refused.value))  # or the entry would call it an error of its own
