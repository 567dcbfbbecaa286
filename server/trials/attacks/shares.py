"""One token that takes all places and all room, and one that wants another's scene."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator

from mvsam_client import Click, MvsamError, Scene, UnknownSceneError
from mvsam_client.connection import Connection, Tensors
from server.trials.attacks.pictures import noise_photograph, tiny_photograph
from server.trials.attacks.target import Attack, Outcome, Target, kind_of, strings, words
from server.trials.latency import photographs
from server.trials.load import together

ENCODERS, ENCODE_FOR = 32, 12.0  # clients, seconds
SCENES = 130
ABANDONED, ABANDONED_AFTER, ABANDONED_VIEWS = 16, 2.0, 20
DEADLINE = 60.0


def encodes(target: Target) -> Outcome:
    """Encodes scenes of 8 photographs with many clients at once, for some seconds."""
    files = photographs(8)
    ended, lock, until = Counter[str](), threading.Lock(), time.monotonic() + ENCODE_FOR

    def work(number: int) -> None:
        with target.client() as client:
            while time.monotonic() < until:
                kind = kind_of(lambda: client.encode(files, timeout=DEADLINE).close())
                with lock:
                    ended[kind] += 1
                if kind != "answered":
                    time.sleep(0.1)

    together(ENCODERS, work)
    return Outcome(f"{ended.total()} encodes: {words(ended.elements())}", set(ended) <= {"answered", "ServerBusyError"})


def tiny_scenes(target: Target) -> Outcome:
    """Encodes more scenes than there are places for, while a neighbour has one."""
    with target.client("neighbour") as neighbour, target.client() as client:
        theirs = neighbour.encode(photographs(2), timeout=DEADLINE)
        scenes: list[Scene] = []
        ended = Counter[str]()
        for number in range(SCENES):
            ended[kind_of(lambda n=number: scenes.append(client.encode([tiny_photograph(n)], timeout=DEADLINE)))] += 1
        lost = kind_of(lambda: theirs.segment(points=[Click(0, 9, 9)], timeout=DEADLINE))
        kept = 0
        for scene in scenes:
            kept += kind_of(scene.close) == "answered"
        with contextlib.suppress(MvsamError):
            theirs.close()
    return Outcome(
        f"{SCENES} scenes: {words(ended.elements())}, {kept} kept; the neighbour's scene: {lost}", lost == "answered"
    )


def abandoned(target: Target) -> Outcome:
    """Sends photographs for one answer each, and gives up on them after 2 s."""
    files = [noise_photograph(k) for k in range(ABANDONED_VIEWS)]
    ended, lock = Counter[str](), threading.Lock()

    def work(number: int) -> None:
        with target.client() as client:
            kind = kind_of(lambda: client.segment(files, points=[Click(0, 9, 9)], timeout=ABANDONED_AFTER))
        with lock:
            ended[kind] += 1

    together(ABANDONED, work)
    return Outcome(f"{ABANDONED} requests of {ABANDONED_VIEWS} photographs: {words(ended.elements())}", True)


def anothers_scene(target: Target) -> Outcome:
    """Uses and closes a neighbour's scene by its id, and one that never was."""
    told: list[str] = []
    with (
        target.client("neighbour") as neighbour,
        target.client() as client,
        contextlib.closing(target.connection()) as asking,
    ):
        theirs = neighbour.encode(photographs(1), timeout=DEADLINE)
        for name in (theirs.id, "0" * 32):
            scene = client.scene(name)
            asks = (lambda s=scene: s.segment(points=[Click(0, 9, 9)]), lambda n=name: list(_closing(asking, n)))
            for ask in asks:
                try:
                    ask()
                    told.append("answered")
                except UnknownSceneError as error:
                    told.append(f"NOT_FOUND {error}")
                except MvsamError as error:
                    told.append(f"{type(error).__name__} {error}")
        still = kind_of(lambda: theirs.segment(points=[Click(0, 9, 9)]))
        with contextlib.suppress(MvsamError):
            theirs.close()
    is_alike = told[:2] == told[2:]
    return Outcome(
        f"{sum(text.startswith('NOT_FOUND') for text in told[:2])} of 2 uses NOT_FOUND, "
        f"{'in the same words' if is_alike else 'in other words'} as of an id that never was; "
        f"the owner's own click afterwards: {still}",
        is_alike and all(text.startswith("NOT_FOUND") for text in told) and still == "answered",
    )


def _closing(asking: Connection, scene: str) -> Iterator[Tensors]:
    """Asks to close a scene; the client library takes it for closed when there is none."""
    return asking.stream("mvsam_scene", {"ACTION": strings(b"close"), "SCENE": strings(scene.encode())}, ("SCENE",), 20)


ATTACKS = [
    Attack(f"{ENCODERS} clients of one token that encode for {ENCODE_FOR:g} s", encodes, also="encode"),
    Attack(f"{SCENES} tiny scenes: no other token's is evicted", tiny_scenes),
    Attack(f"{ABANDONED} one-shots that are given up after {ABANDONED_AFTER:g} s", abandoned, also="one-shot"),
    Attack("another token's scene by its id: NOT_FOUND, as if it never was", anothers_scene),
]
