"""Requests that are long to look at, or that are none."""

import functools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from server.trials.attacks.target import Attack, Outcome, Target, messages, status_of, words
from server.trials.load import together

SIDES, MANY = 100_000, 10**6
SOON = 5.0  # seconds for a refusal
TIMES = 4  # that each is sent at once
FLOOD, AT_ONCE = 3000, 50  # malformed requests, and how many of them at once
QUOTA = 60  # requests a minute of the token "small"
GARBAGE = b"\xff" * 64


def odd_messages() -> Iterator[tuple[str, bytes]]:
    """Messages of KServe v2 that no client makes, about a megabyte each, by what is odd in them."""
    yield f"a shape of {SIDES} sides", _message(lambda m: _tensor(m, "BYTES", [2**62] * SIDES, "IMAGES"))
    yield "fifty thousand tensors", _message(lambda m: [_tensor(m) for _ in range(MANY // 20)])
    yield "a hundred thousand parameters", _message(_parameters)
    yield (
        "a million empty strings",
        _message(lambda m: _tensor(m, "BYTES").contents.bytes_contents.extend([b""] * MANY)),
    )
    yield "a million flags", _message(lambda m: _tensor(m, "BOOL").contents.bool_contents.extend([True] * MANY))
    yield "a name of a million letters", _message(lambda m: m.inputs.add(name="x" * MANY))
    yield "an id of a million letters", _message(lambda m: setattr(m, "id", "x" * MANY))
    yield "zeros", bytes(MANY)


def odd_bodies() -> Iterator[tuple[str, str]]:
    """JSON of a megabyte, by what is odd in it."""
    sixth = MANY // 6
    yield "lists in lists", "[" * (MANY // 2) + "]" * (MANY // 2)
    yield "objects in objects", '{"a":' * sixth + "1" + "}" * sixth
    yield "keys", "{" + ",".join(f'"{k}":0' for k in range(MANY // 11)) + "}"
    yield "one key again and again", "{" + ",".join(['"a":0'] * sixth) + "}"
    yield "a number of a million digits", '{"inputs":[' + "9" * (MANY - 20) + "]}"
    yield "a shape of many sides", _body([2**62] * (MANY // 22), [])
    yield "data in lists", _body([1], [[1]] * (MANY // 6))
    yield "strings", _body([1], [""] * (MANY // 5), "BYTES")
    yield "inputs", '{"inputs":[' + ",".join(["{}"] * (MANY // 4)) + "]}"


def long_to_look_at(target: Target) -> Outcome:
    """Sends each several times at once over gRPC and HTTP."""
    statuses, times = list[str](), list[float]()
    with target.channel() as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")

        def over_grpc(data: bytes) -> str:
            return status_of(lambda: infer(data, metadata=target.metadata(), timeout=60))

        def over_http(text: str) -> str:
            headers = {"authorization": f"Bearer {target.token}"}
            return target.http("/v2/models/mvsam/infer", text.encode(), headers, timeout=60)[0]

        def timed(ask: Callable[[Any], str], content: Any, number: int) -> None:
            began = time.monotonic()
            statuses.append(ask(content))
            times.append(time.monotonic() - began)

        for ask, contents in ((over_grpc, odd_messages()), (over_http, odd_bodies())):
            for _, content in contents:
                together(TIMES, functools.partial(timed, ask, content))
    return Outcome(
        f"{len(statuses)} requests: {words(statuses)}, the slowest after {max(times):.2f} s",
        set(statuses) <= {"INVALID_ARGUMENT", "400"} and max(times) <= SOON,
    )


def flood(target: Target) -> Outcome:
    """Sends what is no message, with a token of 60 requests a minute."""
    statuses: list[str] = []
    began = time.monotonic()
    metadata, headers = target.metadata("small"), {"authorization": f"Bearer {target.tokens['small']}"}
    with target.channel() as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")

        def work(number: int) -> None:
            for _ in range(FLOOD // AT_ONCE):
                statuses.append(status_of(lambda: infer(GARBAGE, metadata=metadata, timeout=20)))
            for _ in range(FLOOD // AT_ONCE // 10):
                statuses.append(target.http("/v2/models/mvsam/infer", GARBAGE, headers)[0])

        together(AT_ONCE, work)
    seconds = time.monotonic() - began
    let_in = sum(status not in ("UNAVAILABLE", "503") for status in statuses)
    return Outcome(
        f"{let_in} of {len(statuses)} in {seconds:.1f} s were not refused by the quota ({words(statuses)})",
        let_in <= QUOTA * (1 + seconds / 60) + 1,
    )


def _message(fill: Callable[[Any], object]) -> bytes:
    message = messages.ModelInferRequest(model_name="mvsam")
    fill(message)
    return message.SerializeToString()


def _tensor(message: Any, datatype: str = "FP32", shape: Sequence[int] = (1,), name: str = "POINTS") -> Any:
    return message.inputs.add(name=name, datatype=datatype, shape=shape)


def _parameters(message: Any) -> None:
    for number in range(MANY // 10):
        message.parameters[str(number)].bool_param = True


def _body(shape: list[int], data: list[Any], datatype: str = "FP32") -> str:
    return json.dumps({"inputs": [{"name": "POINTS", "datatype": datatype, "shape": shape, "data": data}]})


ATTACKS = [
    Attack(
        f"messages and JSON of a megabyte that are long to look at, such as a shape of {SIDES} sides: "
        f"INVALID_ARGUMENT within {SOON:g} s",
        long_to_look_at,
    ),
    Attack(
        f"a flood of {FLOOD * 11 // 10} malformed requests: each counts against the token's {QUOTA} a minute", flood
    ),
]
