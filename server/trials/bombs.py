"""Odd and harmful files, sent to the service; and a bad request among good ones."""

import contextlib
import threading
import time
from collections.abc import Iterator

import numpy as np

from mvsam_client import Click, Client, InvalidRequestError, MvsamError
from mvsam_client.connection import Connection
from server.trials.figures import Trial, milliseconds
from server.trials.latency import photographs
from server.trials.odd_files import odd_files
from server.trials.running import Served
from server.trials.traffic import HEIGHT, WIDTH, different_questions, same

WITHIN = 0.2  # seconds
DEADLINE = 60.0
LARGE = 2**25  # bytes; what is larger takes longer to arrive, and is told apart
GROWTH = 50  # MB
LOOK_EVERY = 0.01
GOOD = 7  # with the bad one as many as the ensemble takes at once


def run(service: Served, trial: Trial) -> None:
    """Every file as a photograph beside a good one, to the ensemble and to be a scene."""
    good = photographs(1, height=HEIGHT, width=WIDTH)
    files = [(name, data) for name, data in odd_files() if len(data) <= LARGE]
    times, wrong = [], []
    with contextlib.closing(Connection(service.grpc_url)) as connection, watched(service) as memory:
        for name, data in files:
            for asked in (_segmented, _encoded):
                began = time.monotonic()
                try:
                    asked(connection, [*good, data])
                    wrong.append(f"{name}: answered")
                except InvalidRequestError:
                    times.append(time.monotonic() - began)
                except MvsamError as error:
                    wrong.append(f"{name}: {type(error).__name__} {error}"[:150])
    trial.figures["odd files, ms"] = milliseconds(times)
    trial.figures["odd files, not refused"] = wrong
    trial.expect(
        f"{len(files)} kinds of odd files: all INVALID_ARGUMENT within {1000 * WITHIN:g} ms",
        f"{len(times)} of {2 * len(files)}, the slowest after {1000 * max(times):.0f} ms",
        not wrong and max(times) <= WITHIN,
    )
    grown = (max(memory) - memory[0]) / 1e6
    trial.expect(f"memory grows by at most {GROWTH} MB meanwhile", f"{grown:+.1f} MB", grown <= GROWTH)
    with contextlib.closing(Connection(service.grpc_url)) as connection:
        for name, data in odd_files():
            if len(data) > LARGE:
                _too_long(connection, name, [*good, data], trial)


def _segmented(connection: Connection, files: list[bytes]) -> None:
    """Sends files as they are, which the client would convert or refuse itself, to the ensemble."""
    inputs = {
        "IMAGES": np.array(files, object),
        "POINTS": np.full((1, 1, 2), 5, np.float32),
        "POINT_LABELS": np.ones((1, 1), np.int32),
        "POINT_VIEWS": np.zeros((1, 1), np.int32),
    }
    connection.infer("mvsam", inputs, ("MASKS",), DEADLINE)


def _encoded(connection: Connection, files: list[bytes]) -> None:
    """Sends files as they are to be a scene."""
    inputs = {"ACTION": np.array([b"encode"], object), "IMAGES": np.array(files, object)}
    list(connection.stream("mvsam_scene", inputs, ("SCENE",), DEADLINE))


@contextlib.contextmanager
def watched(service: Served) -> Iterator[list[int]]:
    """Resident bytes, looked at all the time: what is taken and given back at once counts too."""
    memory, ended = [service.resident()], threading.Event()
    processes = service.processes()

    def watch() -> None:
        while not ended.wait(LOOK_EVERY):
            memory.append(sum(each.memory_info().rss for each in processes))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()


def _too_long(connection: Connection, name: str, images: list[bytes], trial: Trial) -> None:
    """Refused too, but not before it has come."""
    began = time.monotonic()
    try:
        _encoded(connection, images)
        refused = False
    except InvalidRequestError:
        refused = True
    found = f"{time.monotonic() - began:.2f} s with its transport"
    trial.expect(f"an odd file that is too large ({name}): INVALID_ARGUMENT", found, refused)


def one_bad(service: Served, trial: Trial) -> None:
    """Requests that arrive together, one of them no good."""
    (question,) = different_questions(service.grpc_url, 1)
    files, bad = question.files, [Click(1, 10 * WIDTH, 5)]
    fine, refused = [], []
    with Client(service.grpc_url, retries=0, reencode=False) as client, client.encode(files) as scene:
        for ask in (
            lambda points: client.segment(files, points=points),
            lambda points: scene.segment(points=points),
        ):
            gate = threading.Barrier(GOOD + 1)

            def work(number: int, ask=ask, gate: threading.Barrier = gate) -> None:
                gate.wait()
                try:
                    fine.append(same(ask(bad if number == 0 else question.clicks), question.right))
                except MvsamError as error:
                    refused.append((number, isinstance(error, InvalidRequestError)))

            threads = [threading.Thread(target=work, args=(number,)) for number in range(GOOD + 1)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    trial.expect(
        f"one bad request among {GOOD} good ones at once, by the ensemble and on a scene: only it fails",
        f"{sum(fine)} of {2 * GOOD} good ones answered well, {len(refused)} refused",
        fine == [True] * 2 * GOOD and refused == [(0, True)] * 2,
    )
