"""Messages that are small on the wire and would be large in memory."""

from typing import Any

import pytest
from tritonclient.grpc import service_pb2

from server.field_counts import check_question, check_request
from tests.server.wire import good, request

messages: Any = service_pb2
MEBIBYTE = 2**20


@pytest.mark.parametrize("model", ["mvsam", "mvsam_pointmap"])
def test_requests_pass_however_large_their_contents_are(model: str):
    message = request(model, good(model), ("MASKS", "AREAS"))
    check_request(message.SerializeToString())
    message.raw_input_contents.append(bytes(8 * MEBIBYTE))
    check_request(message.SerializeToString())
    typed = messages.ModelInferRequest(model_name=model, id="7")
    points = typed.inputs.add(name="POINTS", datatype="FP32", shape=[MEBIBYTE])
    points.contents.fp32_contents.extend([1.0] * MEBIBYTE)
    labels = typed.inputs.add(name="POINT_LABELS", datatype="INT32", shape=[64, 256])
    labels.contents.int_contents.extend([-1] * 64 * 256)
    images = typed.inputs.add(name="IMAGES", datatype="BYTES", shape=[100])
    images.contents.bytes_contents.extend([bytes(100_000)] * 100)
    check_request(typed.SerializeToString())
    check_request(b"")


def inside(number: int, content: bytes) -> bytes:
    size = len(content)
    return bytes([number << 3 | 2, size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14]) + content


@pytest.mark.parametrize(
    "data",
    [
        b"\x2a\x00" * 2000,  # inputs
        b"\x32\x00" * 2000,  # outputs
        b"\x3a\x00" * 2000,  # raw contents
        b"\x22\x00" * 2000,  # parameters
        inside(5, b"\x22\x00" * 2000),  # of one input
        inside(5, b"\x1a\x00" * 2000),
        inside(5, inside(3, b"\x01" * 100_000)),  # sides of its shape
        inside(5, inside(5, b"\x42\x00" * 2000)),  # strings
        inside(5, inside(5, inside(3, b"\x01" * (MEBIBYTE + 1)))),  # whole numbers
        inside(5, inside(5, b"\x18\x01" * 2000)),  # the same, one by one
        inside(3, bytes(100_000)),  # an id
        b"\x2a\x7f",  # breaks off
        b"\xff" * 20,
        b"\x0f",
    ],
)
def test_what_would_grow_is_refused_before_it_is_read(data: bytes):
    with pytest.raises(ValueError, match=r"too many|no message"):
        check_request(data)


def test_questions_are_short():
    check_question(messages.ModelMetadataRequest(name="mvsam").SerializeToString())
    with pytest.raises(ValueError, match="too many"):
        check_question(bytes(MEBIBYTE))
