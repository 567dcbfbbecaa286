"""What of an error reaches a client."""

import pytest

from server.texts import instead_of_tritons, is_fit_for_clients, own_words

FIT = (
    "POINTS: object 0, click 0 at (3, 4) lies outside view 0 (2x2); give x in [0, 1] and y in [0, 1]",
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
TRITONS = (
    "[request id: <id_unknown>] unexpected shape for input 'POINTS' for model 'mvsam'. Expected [-1,-1,2], got [1,2].",
    "[request id: 7] in ensemble 'mvsam', [request id: 7] expected number of inputs between 4 and 12 but got 1 inputs",
    "Request for unknown model: 'mvsam' version 9 is not at ready state",
    "Failed to process the request(s) for model 'pi3_0_0', message: TypeError: 'NoneType' object is not iterable",
    "Stub process 'pi3_0_0' is not healthy.",
    "UNKNOWN: something",
    "",
)
PREFIXES = ("", "[request id: 7] ", "in ensemble 'mvsam', ", "[request id: 7] in ensemble 'mvsam', [request id: 7] ")


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("text", FIT)
def test_our_models_words_pass_with_their_status(text: str, prefix: str):
    assert own_words(f"{prefix}INVALID_ARGUMENT: {text}") == ("INVALID_ARGUMENT", text)
    assert is_fit_for_clients(text)


@pytest.mark.parametrize("text", UNFIT)
def test_our_insides_do_not(text: str):
    assert not is_fit_for_clients(text)
    assert own_words(f"INTERNAL: {text}") is None


@pytest.mark.parametrize("text", TRITONS)
def test_tritons_words_do_not(text: str):
    assert own_words(text) is None


def test_a_long_message_is_cut():
    assert own_words("UNAVAILABLE: " + "x" * 10_000) == ("UNAVAILABLE", "x" * 500 + "…")


@pytest.mark.parametrize("status", ["INVALID_ARGUMENT", "NOT_FOUND", "UNKNOWN", "INTERNAL", "UNIMPLEMENTED"])
def test_what_is_said_instead_names_the_request_and_a_remedy(status: str):
    kept, text = instead_of_tritons(status, "7")
    assert kept == (status if status == "INVALID_ARGUMENT" else "INTERNAL")
    assert "request id '7'" in text and "; " in text
