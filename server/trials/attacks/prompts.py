"""Prompts that are small to send and long to work on."""

import contextlib
import functools
import threading
import time
from collections import Counter

from mvsam_client import MvsamError
from server.trials.attacks.pictures import large_mask, large_photograph, mask_request, scene_request
from server.trials.attacks.target import Attack, Outcome, Target, words
from server.trials.latency import photographs
from server.trials.load import together

OBJECTS, POINTS, VIEWS = 64, 256, 20
BATCHES, BATCH_DEADLINE = 6, 20.0
WITHIN_LIMIT = 4  # masks of 49 megapixels in a request
AT_ONCE = 8
CANCELLED, GIVEN_UP_AFTER = 24, 0.3  # requests, and seconds after which nobody waits for them
DEADLINE = 60.0


def masks(target: Target, count: int, times: int, is_allowed: bool) -> Outcome:
    """Asks with so many masks of 49 megapixels, several times at once."""
    with target.client() as client:
        scene = client.encode([large_photograph()], timeout=DEADLINE)
        inputs = mask_request(scene.id, [large_mask()] * count)
        statuses, seconds = asked_at_once(target, inputs, times, DEADLINE)
        _closed(scene)
    found = f"{times} requests with {count} masks: {words(statuses.elements())}, the slowest after {seconds:.1f} s"
    allowed = {"answered", "ServerBusyError"} if is_allowed else {"InvalidRequestError"}
    return Outcome(found, set(statuses) <= allowed)


def cancelled_masks(target: Target) -> Outcome:
    """Asks again and again with as many as are allowed, and waits for none."""
    with target.client() as client:
        scene = client.encode([large_photograph()], timeout=DEADLINE)
        inputs = mask_request(scene.id, [large_mask()] * WITHIN_LIMIT)
        statuses = Counter[str]()
        for _ in range(CANCELLED // AT_ONCE):
            statuses += asked_at_once(target, inputs, AT_ONCE, GIVEN_UP_AFTER)[0]
        _closed(scene)
    return Outcome(f"{CANCELLED} requests, given up after {GIVEN_UP_AFTER:g} s: {words(statuses.elements())}", True)


def batches(target: Target) -> Outcome:
    """Asks for 64 objects with 256 clicks each on a scene of 20 views, again and again."""
    with target.client() as client:
        scene = client.encode(photographs(VIEWS), timeout=DEADLINE)
        clicks = [(10.0 + 7 * k, 10.0 + 5 * k) for k in range(OBJECTS)]
        inputs = scene_request(scene.id, clicks, points=POINTS)
        statuses, seconds = asked_at_once(target, inputs, BATCHES, BATCH_DEADLINE)
        _closed(scene)
    return Outcome(f"{BATCHES} batches: {words(statuses.elements())}, the slowest after {seconds:.1f} s", True)


def asked_at_once(target: Target, inputs: dict, times: int, within: float) -> tuple[Counter[str], float]:
    """How so many requests to a scene ended, and after how many seconds the last did."""
    statuses, lock, began = Counter[str](), threading.Lock(), time.monotonic()

    def work(number: int) -> None:
        kind = "answered"
        with contextlib.closing(target.connection()) as connection:
            try:
                for _ in connection.stream("mvsam_scene", inputs, ("VIEW", "MASKS"), within):
                    pass
            except MvsamError as error:
                kind = type(error).__name__
        with lock:
            statuses[kind] += 1

    together(times, work)
    return statuses, time.monotonic() - began


def _closed(scene) -> None:
    with contextlib.suppress(MvsamError):
        scene.close()


ATTACKS = [
    Attack(
        "64 mask prompts of 49 megapixels, 4 MB together, in one request: INVALID_ARGUMENT",
        functools.partial(masks, count=64, times=1, is_allowed=False),
    ),
    Attack(
        "8 mask prompts of 49 megapixels in one request: INVALID_ARGUMENT",
        functools.partial(masks, count=8, times=1, is_allowed=False),
    ),
    Attack(
        f"as many of them as are allowed, {AT_ONCE} requests at once: answered, or UNAVAILABLE",
        functools.partial(masks, count=WITHIN_LIMIT, times=AT_ONCE, is_allowed=True),
    ),
    Attack(f"{CANCELLED} such requests that are cancelled", cancelled_masks),
    Attack(f"{BATCHES} batches of {OBJECTS} objects with {POINTS} clicks each on {VIEWS} views", batches),
]
