"""What the random requests of `make faults` try."""

import random
from typing import Any

import pytest

from server.trials.fuzz import PHOTOGRAPH
from server.trials.questions import is_leak, random_question
from server.trials.random_requests import random_request
from tests.unit.server.test_texts import FIT, UNFIT

REQUESTS = 1000


@pytest.fixture(scope="module")
def requests() -> list[Any]:
    return [random_request(seed, PHOTOGRAPH, "0" * 32, "1" * 32, "") for seed in range(REQUESTS)]


@pytest.mark.parametrize(("model", "output"), [("mvsam", "MASKS"), ("mvsam", "SCORES"), ("mvsam_scene", "SCENE")])
def test_classes_of_text_and_of_numbers_are_asked_for(requests: list[Any], model: str, output: str):
    asked = [
        wanted.parameters["classification"].int64_param
        for request in requests
        for wanted in request.outputs
        if (request.model_name, wanted.name) == (model, output) and "classification" in wanted.parameters
    ]
    assert max(asked, default=0) > 0
    assert any(request.parameters for request in requests)
    assert (
        sum(any(each.parameters for each in request.outputs) for request in requests) < REQUESTS / 4
    )  # others matter too


def test_every_question_about_the_service_is_asked_with_and_without_a_name():
    rng = random.Random(0)
    asked = [random_question(rng) for _ in range(1000)]
    for method in ("ModelMetadata", "ModelConfig", "ModelStatistics", "ModelReady"):
        assert {"", "mvsam", "pi3"} <= {message.name for each, message in asked if each == method}
    assert {"ServerMetadata", "RepositoryIndex"} <= {method for method, _ in asked}


def test_what_the_service_hides_is_found_if_it_does_not():
    found = [text for text in UNFIT if is_leak(text)]
    assert len(found) >= len(UNFIT) - 1 and not any(map(is_leak, FIT))
