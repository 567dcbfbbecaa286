"""What of an error reaches a client."""

import pytest

from server.texts import fit_for_clients

FIT = (
    "POINTS: object 0, click 0 at (3, 4) lies outside view 0 (2x2); give x in [0, 1] and y in [0, 1]",
    "[request id: <id_unknown>] unexpected shape for input 'POINTS' for model 'mvsam'. Expected [-1,-1,2], got [1,2].",
    "Stub process 'pi3_0_0' is not healthy.",
    "ENCODING is 'jpeg'; give one of rle, png, packed, raw",
    "more than 60 requests a minute; try again in 1 s",
)
UNFIT = (
    "Traceback (most recent call last):",
    '  File "model.py", line 3',
    "failed to load /opt/models/pi3/1/model.onnx",
    "no such file: '/etc/passwd'",
    "error in mvsam/runtime/triton.py",
    "found in site-packages",
    "authorization: Bearer abc",
    "-----BEGIN PRIVATE KEY-----",
    "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:41873: Failed to connect to remote host",
    "no answer of 10.0.0.7:8001",
    "no answer of localhost:8001",
    "no answer of [::1]:8001",
    "unix:triton.sock has gone",
)


@pytest.mark.parametrize("text", FIT)
def test_a_cause_and_a_remedy_pass(text):
    assert fit_for_clients(text, "7") == text


@pytest.mark.parametrize("text", UNFIT)
def test_our_insides_do_not(text):
    assert fit_for_clients(text, "7") == "internal error (request id '7'); the server's log says more"


def test_a_long_message_is_cut():
    assert fit_for_clients("x" * 10_000, "id") == "x" * 500 + "…"
