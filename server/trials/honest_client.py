"""A client with a token of its own that asks on and on while others attack; each answer is compared with the right one.

It is a process of its own, so that it does not wait for the attackers' Python.
"""

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

from mvsam_client import Client, MvsamError, Scene, Segmentation, Tls
from server.trials.traffic import Question, different_questions, same

PAUSE = 0.2  # seconds between two clicks
WITHIN = 5.0  # seconds for a click
DEADLINE = 60.0
RIGHT, NOT_READY = "right", "ServerNotReadyError"


@dataclass(frozen=True)
class Answered:
    """One request of the honest client: what was asked, begin and end by time.monotonic, and how it ended.

    Attributes:
        asked: "click", "encode" or "one-shot".
        began: when it was asked.
        ended: when its last answer was there.
        kind: "right", "wrong mask" or the error.
    """

    asked: str
    began: float
    ended: float
    kind: str

    @property
    def seconds(self) -> float:
        """That it took."""
        return self.ended - self.began

    @property
    def is_good(self) -> bool:
        """Whether it was answered rightly and, if it is a click, in time."""
        return self.kind == RIGHT and (self.asked != "click" or self.seconds <= WITHIN)


class HonestClient:
    """One that clicks on its scene every 0.2 s, and on demand sends photographs too; without retries.

    Args:
        url: of the service, which must answer well now: these answers are the right ones.
        token: of this client; None where none is needed.
        tls: whom it trusts, where the service has certificates.
    """

    def __init__(self, url: str, token: str | None, tls: Tls | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._receiver, sender = context.Pipe(duplex=False)
        self._ended = context.Event()
        self._also = {asked: context.Event() for asked in ("encode", "one-shot")}
        arguments = (url, token, tls, sender, self._ended, self._also)
        self._process = context.Process(target=ask_on, args=arguments, daemon=True)
        self._process.start()
        sender.close()
        self._changed = threading.Condition()
        self._answers: list[Answered] = []
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._ended.set()
        self._process.join(DEADLINE)
        self._thread.join(DEADLINE)

    def also(self, asked: str, wanted: bool) -> None:
        """Begins or ends with requests of another kind beside the clicks."""
        if wanted:
            self._also[asked].set()
        else:
            self._also[asked].clear()

    def answers(self, began: float) -> list[Answered]:
        """Those that were still to come at some time, by time.monotonic."""
        with self._changed:
            return [each for each in self._answers if each.ended > began]

    def wait(self, asked: float, within: float) -> Answered | None:
        """Waits for the answer to a click that was asked after some time; None where it is not there within seconds."""
        found: list[Answered] = []

        def has_come() -> bool:
            found[:] = [each for each in self._answers if each.began > asked and each.asked == "click"][:1]
            return bool(found)

        with self._changed:
            self._changed.wait_for(has_come, within)
        return found[0] if found else None

    def _receive(self) -> None:
        while True:
            try:
                answered = self._receiver.recv()
            except (EOFError, OSError):
                return
            with self._changed:
                self._answers.append(answered)
                self._changed.notify_all()


def judged(answers: list[Answered], outage: bool = False) -> tuple[str, bool]:
    """What became of some answers, in words, and whether all is well; there must be a click among them.

    Args:
        answers: of the honest client.
        outage: whether it may have been told that the service is not ready.
    """
    words = []
    for asked in dict.fromkeys(each.asked for each in answers):
        of_kind = [each for each in answers if each.asked == asked]
        bad = [each.kind for each in of_kind if each.kind != RIGHT]
        words.append(f"slowest {asked} of {len(of_kind)} {max(each.seconds for each in of_kind):.2f} s")
        words += [f"{len(bad)} not right: {bad[0]}"] if bad else []
    clicks = [each for each in answers if each.asked == "click"]
    return "; ".join(words) or "no answer", bool(clicks) and all(
        each.is_good or (outage and each.kind.startswith(NOT_READY)) for each in answers
    )


def ask_on(
    url: str, token: str | None, tls: Tls | None, sender: Connection, ended: Event, also: dict[str, Event]
) -> None:
    """Asks until it is told to end; the work of the honest client's process."""
    (question,) = different_questions(url, 1, token, tls)
    lock = threading.Lock()

    def timed(asked: str, ask: Callable[[], Segmentation | Scene]) -> Segmentation | Scene | None:
        began, answer, kind = time.monotonic(), None, RIGHT
        try:
            answer = ask()
            if isinstance(answer, Segmentation) and not same(answer, question.right):
                kind = "wrong mask"
        except MvsamError as error:
            kind = f"{type(error).__name__}: {error}"[:150]
        with lock:
            sender.send(Answered(asked, began, time.monotonic(), kind))
        return answer

    def send_photographs() -> None:
        with Client(url, token=token, tls=tls, retries=0, reencode=False) as client:
            while not ended.wait(PAUSE):
                if also["encode"].is_set():
                    scene = timed("encode", lambda: client.encode(question.files, timeout=DEADLINE))
                    if isinstance(scene, Scene):
                        scene.close()
                if also["one-shot"].is_set():
                    timed("one-shot", lambda: client.segment(question.files, points=question.clicks, timeout=DEADLINE))

    sending = threading.Thread(target=send_photographs)
    sending.start()
    with Client(url, token=token, tls=tls, retries=0, reencode=False) as client:
        scene: Segmentation | Scene | None = None
        while not ended.wait(PAUSE):
            if not isinstance(scene, Scene):
                scene = _encoded(client, question)
            elif timed("click", lambda s=scene: s.segment(points=question.clicks, timeout=DEADLINE)) is None:
                scene = None  # it may have gone: the click counts as refused, and the next goes to another
    sending.join()
    sender.close()


def _encoded(client: Client, question: Question) -> Scene | None:
    try:
        return client.encode(question.files, timeout=DEADLINE)
    except MvsamError:
        return None
