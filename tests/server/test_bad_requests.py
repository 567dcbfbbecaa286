"""Bad requests to the real server: each is refused at once with a reason and a remedy, and harms no later request.

Refusals that carry our own words name the input and end with a remedy after a semicolon; those of Triton itself name
the input and what it expects. None may take 200 ms on a warm server: the best of up to three tries counts, since one
slow answer on a busy machine says nothing about the server.
"""

import re

import pytest

from tests.server.bad_requests import OF_GEOMETRY, OURS, TRITONS
from tests.server.wire import INTERNALS, Answer, Tensors, Wire, good

AT_MOST = 0.2  # seconds until a refusal
TRIES = 3
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


def fastest(wire: Wire, model: str, tensors: Tensors, outputs: tuple[str, ...]) -> Answer:
    """The fastest of up to three answers."""
    best = wire.ask(model, tensors, outputs)
    for _ in range(TRIES - 1):
        if best.seconds <= AT_MOST:
            break
        best = min(best, wire.ask(model, tensors, outputs), key=lambda answer: answer.seconds)
    return best


@pytest.mark.parametrize(("model", "changes", "says", "remedy"), CASES)
def test_a_bad_request_is_refused_at_once_with_a_remedy_and_harms_no_other(
    wire: Wire, granted: dict[str, list[bytes]], model: str, changes: Tensors, says: str, remedy: bool
) -> None:
    before = [wire.executions(graph) for graph in GRAPHS]
    answer = fastest(wire, model, good(model) | changes, ("MASKS",))
    assert answer.status == "INVALID_ARGUMENT", answer
    assert re.search(says, answer.message), answer.message
    assert not remedy or "; " in answer.message
    assert not INTERNALS.search(answer.message), answer.message
    assert answer.seconds <= AT_MOST
    assert [wire.executions(graph) for graph in GRAPHS] == before, "a graph ran for it"
    assert wire.ask(model, good(model), ANSWERS).outputs == granted[model], "the next good request"


def test_an_unknown_output_is_named(wire: Wire, granted: dict[str, list[bytes]]) -> None:
    answer = fastest(wire, "mvsam", good("mvsam"), ("MASQUES",))
    assert answer.status == "INVALID_ARGUMENT"
    assert answer.message == "unexpected inference output 'MASQUES' for model 'mvsam'"
    assert wire.ask("mvsam", good("mvsam"), ANSWERS).outputs == granted["mvsam"]
