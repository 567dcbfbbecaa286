"""Bad requests to the real server: each is refused at once with a reason and a remedy, and harms no later request.

Refusals that carry our own words name the input and end with a remedy after a semicolon; those of Triton itself name
the input and what it expects. They take milliseconds; what is allowed is for a machine that is busy with other tests.
"""

import re

import pytest

from tests.server.bad_requests import OF_GEOMETRY, OURS, TRITONS
from tests.server.wire import INTERNALS, Tensors, Wire, good

AT_MOST = 2.0  # seconds until a refusal
GRAPHS = ("pi3", "sam2_encoder", "point_embedder", "mask_decoder")
ANSWERS = ("AREAS", "SCORES")

CASES = [
    pytest.param(model, changes, says, remedy, id=name)
    for model, cases, remedy in (
        ("mvsam", OURS, True),
        ("mvsam_pointmap", OF_GEOMETRY, True),
        ("mvsam", TRITONS, False),
    )
    for name, (changes, says) in cases.items()
]


@pytest.fixture(scope="module")
def granted(wire: Wire) -> dict[str, list[bytes]]:
    """The answers to the good requests, before any bad one."""
    answers = {model: wire.ask(model, good(model), ANSWERS) for model in ("mvsam", "mvsam_pointmap")}
    assert {answer.status for answer in answers.values()} == {"OK"}, answers
    return {model: answer.outputs for model, answer in answers.items()}


@pytest.mark.parametrize(("model", "changes", "says", "remedy"), CASES)
def test_a_bad_request_is_refused_at_once_with_a_remedy_and_harms_no_other(
    wire: Wire, granted: dict[str, list[bytes]], model: str, changes: Tensors, says: str, remedy: bool
) -> None:
    before = [wire.executions(graph) for graph in GRAPHS]
    answer = wire.ask(model, good(model) | changes, ("MASKS",))
    assert answer.status == "INVALID_ARGUMENT", answer
    assert re.search(says, answer.message), answer.message
    assert not remedy or "; " in answer.message
    assert not INTERNALS.search(answer.message), answer.message
    assert answer.seconds <= AT_MOST
    assert [wire.executions(graph) for graph in GRAPHS] == before, "a graph ran for it"
    assert wire.ask(model, good(model), ANSWERS).outputs == granted[model], "the next good request"


def test_an_unknown_output_is_named(wire: Wire, granted: dict[str, list[bytes]]) -> None:
    answer = wire.ask("mvsam", good("mvsam"), ("MASQUES",))
    assert answer.status == "INVALID_ARGUMENT"
    assert answer.message == "unexpected inference output 'MASQUES' for model 'mvsam'"
    assert wire.ask("mvsam", good("mvsam"), ANSWERS).outputs == granted["mvsam"]
