"""Which parameters of a request get past the entry."""

from typing import Any

import pytest

from server.doorman import Refused
from server.parameters import ENDS_EMPTY, check_parameters
from server.texts import is_fit_for_clients
from tests.server.wire import good, request


def asking() -> Any:
    return request("mvsam", good("mvsam"), ("MASKS", "AREAS"))


def test_a_request_without_any_passes_and_one_that_asks_for_its_end():
    message = asking()
    check_parameters(message)
    message.parameters[ENDS_EMPTY].bool_param = False
    check_parameters(message)


@pytest.mark.parametrize("place", ["request", "input", "output"])
@pytest.mark.parametrize("kind", ["bool_param", "int64_param", "uint64_param", "double_param", "string_param"])
@pytest.mark.parametrize("name", ["classification", "priority", "/etc/passwd\n" * 9, "é", ""])
def test_others_are_refused_whatever_they_hold(place: str, kind: str, name: str):
    message = asking()
    holder = {"request": message, "input": message.inputs[-1], "output": message.outputs[-1]}[place]
    setattr(holder.parameters[name], kind, {"string_param": "1", "double_param": 1.0}.get(kind, 1))
    with pytest.raises(Refused, match=r"has the parameter .*; ") as refused:
        check_parameters(message)
    assert refused.value.status.name == "INVALID_ARGUMENT" and is_fit_for_clients(str(refused.value))
    assert len(str(refused.value)) < 300


def test_a_parameter_without_a_value_is_refused():
    message = asking()
    message.parameters[ENDS_EMPTY].SetInParent()
    with pytest.raises(Refused, match="is not true or false"):
        check_parameters(message)
