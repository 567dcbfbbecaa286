"""Requests that do not come to their end, and answers that nobody reads."""

import contextlib
import socket
import time

import numpy as np

from mvsam_client import InvalidRequestError, MvsamError
from mvsam_client.wire import request
from server.trials.attacks.http2 import Connection, Ended
from server.trials.attacks.pictures import SIDE, large_photograph, scene_request
from server.trials.attacks.target import Attack, Outcome, Target, words
from server.trials.load import together

BODIES, SIZE = 50, 60 * 10**6
HELD_FOR = 25.0  # seconds
UNREAD_FOR = 45.0  # seconds: such answers are made one after the other
PART = 2**18
MEGABYTE = 10**6
UNREAD = 24
RAW_OBJECTS = 12


def withheld_over_grpc(target: Target) -> Outcome:
    """Sends messages but for their last byte, and waits."""
    taken, held = [0] * BODIES, [False] * BODIES
    until = time.monotonic() + HELD_FOR

    def work(number: int) -> None:
        with contextlib.suppress(OSError, Ended):
            connection = Connection(target.service.grpc_url, patience=HELD_FOR)
            try:
                call = connection.call("ModelInfer", target.token)
                connection.message(call, b"", declared=SIZE)
                part = bytes(PART)
                for place in range(0, SIZE - 1, PART):
                    connection.send(call, part[: SIZE - 1 - place])
                    taken[number] = min(place + PART, SIZE - 1)
                connection.read_until(until)
                held[number] = call not in connection.statuses
            finally:
                connection.close()

    together(BODIES, work)
    return Outcome(
        f"{sum(taken) / MEGABYTE:.0f} of {BODIES * SIZE / MEGABYTE:.0f} MB were taken in, "
        f"{sum(held)} bodies were still held after {HELD_FOR:g} s",
        not any(held),
    )


def withheld_over_http(target: Target) -> Outcome:
    """The same as bodies of HTTP."""
    host, port = target.service.http_url.rsplit(":", 1)
    taken, answers = [0] * BODIES, ["not answered"] * BODIES
    until = time.monotonic() + HELD_FOR
    head = (
        f"POST /v2/models/mvsam/infer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {target.token}\r\n"
        f"Inference-Header-Content-Length: 100\r\nContent-Length: {SIZE}\r\n\r\n"
    ).encode()

    def work(number: int) -> None:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=HELD_FOR) as connection:
            connection.sendall(head)
            part = bytes(PART)
            with contextlib.suppress(TimeoutError, ConnectionError):
                for place in range(0, SIZE - 1, PART):
                    connection.sendall(part[: SIZE - 1 - place])
                    taken[number] = min(place + PART, SIZE - 1)
            connection.settimeout(max(0.1, until - time.monotonic()))
            with contextlib.suppress(TimeoutError):
                answers[number] = connection.recv(12)[9:12].decode() or "ended"

    together(BODIES, work)
    held = answers.count("not answered")
    return Outcome(
        f"{sum(taken) / MEGABYTE:.0f} of {BODIES * SIZE / MEGABYTE:.0f} MB were taken in, {words(answers)}",
        held * SIZE <= 512 * 2**20,
    )


def large_raw_answers(target: Target) -> Outcome:
    """Asks for raw masks of a photograph of 49 megapixels: 588 MB with a click of some hundred bytes."""
    received, refused = 0, "answered"
    with target.client() as client, contextlib.closing(target.connection()) as asking:
        scene = client.encode([large_photograph()])
        began = time.monotonic()
        try:
            inputs = scene_request(scene.id, [(SIDE / 2, SIDE / 2)] * RAW_OBJECTS, "raw")
            for part in asking.stream("mvsam_scene", inputs, ("VIEW", "MASKS"), 60):
                received += sum(len(each) for each in part["MASKS"].flat)
        except InvalidRequestError:
            refused = "INVALID_ARGUMENT"
        except MvsamError as error:
            refused = f"{type(error).__name__}: {error}"[:100]
        seconds = time.monotonic() - began
        scene.close()
    found = f"{received / MEGABYTE:.0f} MB in {seconds:.1f} s, {refused}"
    return Outcome(found, refused == "INVALID_ARGUMENT" and not received)


def unread_answers(target: Target) -> Outcome:
    """Asks for raw masks of 49 MB, one a call, and reads none."""
    statuses: list[str] = []
    with target.client() as client:
        scene = client.encode([large_photograph()])
        inputs = scene_request(scene.id, [(SIDE / 2, SIDE / 2)], "raw")
        message = _message(inputs)

        def work(number: int) -> None:
            with contextlib.suppress(OSError):
                connection = Connection(target.service.grpc_url, window=1, patience=UNREAD_FOR)
                try:
                    call = connection.call("ModelStreamInfer", target.token)
                    connection.message(call, message)
                    connection.finish(call)
                    statuses.append(connection.status(call, UNREAD_FOR + 1))
                except Ended as ended:
                    statuses.append(str(ended))
                finally:
                    connection.close()

        together(UNREAD, work)
        scene.close()
    left = sum(status == "not answered in time" for status in statuses)
    return Outcome(f"{UNREAD} calls: {words(statuses)}", left == 0)


def _message(inputs: dict[str, np.ndarray]) -> bytes:
    return request("mvsam_scene", inputs, ("VIEW", "MASKS")).SerializeToString()


ATTACKS = [
    Attack(
        f"{BODIES} messages of 60 MB whose last byte does not come, gRPC: all are ended in time", withheld_over_grpc
    ),
    Attack(
        f"{BODIES} bodies of 60 MB whose last byte does not come, HTTP: at most 512 MiB of them are held",
        withheld_over_http,
    ),
    Attack(f"raw masks of 49 megapixels for {RAW_OBJECTS} objects, 588 MB: INVALID_ARGUMENT", large_raw_answers),
    Attack(f"{UNREAD} raw answers of 49 MB that nobody reads: their connections are ended in time", unread_answers),
]
