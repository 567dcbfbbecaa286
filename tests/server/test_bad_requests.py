"""Bad requests to the real server: each is refused at once with a reason and a remedy, and harms no later request.

These reach the models, whose refusals name the input and end with a remedy after a semicolon; what the entry refuses
itself is in tests/unit/server/test_signatures.py. They take milliseconds; what is allowed is for a machine that is busy
with other tests.
Triton may count a run a moment after it has answered: whoever asks for the count waits until the good ones are in it.
"""

import re
import time

import pytest

from tests.server.bad_requests import OF_GEOMETRY, OURS
from tests.server.wire import INTERNALS, Tensors, Wire, good
from tests.waiting import wait_until

AT_MOST = 10.0  # seconds until a refusal
GRAPHS = ("pi3", "sam2_encoder", "point_embedder", "mask_decoder")
OF_GOOD = {"mvsam": (1, 1, 1, 1), "mvsam_pointmap": (0, 1, 1, 1)}  # runs of the graphs for one good request
ANSWERS = ("AREAS", "SCORES")

CASES = [
    pytest.param(model, changes, says, id=name)
    for model, cases in (("mvsam", OURS), ("mvsam_pointmap", OF_GEOMETRY))
    for name, (changes, says) in cases.items()
]


def runs(wire: Wire) -> list[int]:
    """How often each graph has run."""
    return [wire.executions(graph) for graph in GRAPHS]


def answered(wire: Wire, model: str, before: list[int]) -> list[bytes]:
    """The answer to a good request, once each graph is counted to have run for it and for nothing else since."""
    answer = wire.ask(model, good(model), ANSWERS)
    assert answer.status == "OK", answer
    wait_until(lambda: runs(wire) == [count + one for count, one in zip(before, OF_GOOD[model], strict=True)])
    return answer.outputs


@pytest.fixture(scope="module")
def granted(wire: Wire) -> dict[str, list[bytes]]:
    """The answers to the good requests, before any bad one."""
    time.sleep(1)  # what others have asked before is counted by then
    return {model: answered(wire, model, runs(wire)) for model in OF_GOOD}


@pytest.mark.parametrize(("model", "changes", "says"), CASES)
def test_a_bad_request_is_refused_at_once_with_a_remedy_and_harms_no_other(
    wire: Wire, granted: dict[str, list[bytes]], model: str, changes: Tensors, says: str
) -> None:
    before = runs(wire)
    answer = wire.ask(model, good(model) | changes, ("MASKS",))
    assert answer.status == "INVALID_ARGUMENT", answer
    assert re.search(says, answer.message), answer.message
    assert "; " in answer.message
    assert not INTERNALS.search(answer.message), answer.message
    assert answer.seconds <= AT_MOST
    assert runs(wire) == before, "a graph ran for it"
    assert answered(wire, model, before) == granted[model], "the next good request"
