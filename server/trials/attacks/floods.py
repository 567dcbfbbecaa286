"""More of what anybody may ask than there is time for: by visitors without a token, and by one token."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable

from tritonclient.grpc import service_pb2_grpc

from mvsam_client import Click, Client, MvsamError, Scene
from server.trials.attacks.target import Attack, Outcome, Target, kind_of, messages, status_of, words
from server.trials.latency import photographs
from server.trials.load import together

CLIENTS, FLOOD_FOR = 16, 6.0  # at once, seconds
PAGES = 200  # of metrics, asked at once
SCENES = 8  # that are changed at once
VIEWS = 4
CANCELLED, GIVEN_UP_AFTER = 48, 0.3  # encodes, and seconds after which nobody waits for them
DEADLINE = 60.0
PAUSE = 0.05  # seconds after a refusal

Ask = Callable[[], object]


def visitors(target: Target) -> Outcome:
    """Asks without a token whether the service is there, as fast as it answers."""

    def asking(number: int, stack: contextlib.ExitStack) -> Ask:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(stack.enter_context(target.channel()))
        live, ready = messages.ServerLiveRequest(), messages.ServerReadyRequest()
        if number % 2:
            return lambda: target.http("/v2/health/ready", None, {})
        return lambda: (stub.ServerLive(live, timeout=DEADLINE), stub.ServerReady(ready, timeout=DEADLINE))

    return _flooded(CLIENTS, asking, status_of, {"OK"})


def metrics(target: Target) -> Outcome:
    """Asks for the metrics many times at once."""
    statuses, lock = Counter[str](), threading.Lock()

    def work(number: int) -> None:
        status, _ = target.http("/metrics", None, {})
        with lock:
            statuses[status] += 1

    together(PAGES, work)
    return Outcome(f"{PAGES} pages: {words(statuses.elements())}", set(statuses) <= {"200"})


def refinements(target: Target) -> Outcome:
    """Refines the same answer with one click more, again and again, by many clients at once."""
    with target.client() as owner:
        scene = owner.encode(photographs(VIEWS), timeout=DEADLINE)
        answer = scene.segment(points=[Click(0, 90, 90)], timeout=DEADLINE).answer

        def asking(number: int, stack: contextlib.ExitStack) -> Ask:
            own = stack.enter_context(target.client()).scene(scene.id)
            clicks = [Click(0, 90, 90), Click(1, 40 + number, 60)]
            return lambda: own.segment(points=clicks, previous=answer, timeout=DEADLINE)

        outcome = _flooded(CLIENTS, asking, kind_of, {"answered", "ServerBusyError"})
        with contextlib.suppress(MvsamError):
            scene.close()
    return outcome


def changes(target: Target) -> Outcome:
    """Describes scenes with their pointmaps, adds photographs to them and removes these again."""
    files = photographs(VIEWS + 1)

    def asking(number: int, stack: contextlib.ExitStack) -> Ask:
        client = stack.enter_context(target.client())
        scene = _encoded(client, files[:VIEWS])
        stack.callback(kind_of, scene.close)

        def ask() -> None:
            scene.describe(outputs=("points", "confidence"), timeout=DEADLINE)
            scene.add(files[VIEWS:], timeout=DEADLINE)
            scene.remove([VIEWS], timeout=DEADLINE)

        return ask

    return _flooded(SCENES, asking, kind_of, {"answered", "ServerBusyError"})


def cancelled_encodes(target: Target) -> Outcome:
    """Asks for scenes and waits for none; then for one more."""
    files = photographs(2 * VIEWS)
    ended, lock = Counter[str](), threading.Lock()

    def work(number: int) -> None:
        with target.client() as client:
            kind = kind_of(lambda: client.encode(files, timeout=GIVEN_UP_AFTER))
        with lock:
            ended[kind] += 1

    for _ in range(3):
        together(CANCELLED // 3, work)
    began = time.monotonic()
    with target.client() as client:
        last = kind_of(lambda: _encoded(client, files).close())
    seconds = time.monotonic() - began
    return Outcome(
        f"{CANCELLED} encodes: {words(ended.elements())}; one more {last} after {seconds:.1f} s", last == "answered"
    )


def _encoded(client: Client, files: list[bytes]) -> Scene:
    """A scene, tried for until there is a place."""
    until = time.monotonic() + DEADLINE
    while True:
        try:
            return client.encode(files, timeout=DEADLINE)
        except MvsamError:
            if time.monotonic() > until:
                raise
            time.sleep(PAUSE)


def _flooded(
    clients: int, asking: Callable[[int, contextlib.ExitStack], Ask], kind: Callable[[Ask], str], allowed: set[str]
) -> Outcome:
    """Lets many clients ask for some seconds, each as `asking` says, and counts how that ended."""
    ended, lock = Counter[str](), threading.Lock()

    def work(number: int) -> None:
        with contextlib.ExitStack() as stack:
            ask, until = asking(number, stack), time.monotonic() + FLOOD_FOR
            while time.monotonic() < until:
                status = kind(ask)
                with lock:
                    ended[status] += 1
                if status not in ("OK", "answered"):
                    time.sleep(PAUSE)

    together(clients, work)
    return Outcome(f"{ended.total()} in {FLOOD_FOR:g} s: {words(ended.elements())}", set(ended) <= allowed)


ATTACKS = [
    Attack(f"{CLIENTS} visitors without a token that ask whether the service is ready", visitors),
    Attack(f"/metrics asked for {PAGES} times at once: answered", metrics),
    Attack(f"{CLIENTS} clients of one token that refine an answer: answered, or UNAVAILABLE", refinements),
    Attack(f"{SCENES} scenes that are described and changed without an end: answered, or UNAVAILABLE", changes),
    Attack(
        f"{CANCELLED} encodes that are given up after {GIVEN_UP_AFTER:g} s: the next is answered", cancelled_encodes
    ),
]
