"""Many clients at once: a mixture of encoding and clicking, and more of them than can be served."""

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import itemgetter

from mvsam_client import Click, Client, MvsamError, Scene, Segmentation, ServerUnavailableError
from server.trials.figures import Trial, milliseconds, percentile
from server.trials.latency import photographs
from server.trials.running import Served

CLIENTS = 8
OVERLOAD_CLIENTS = 64
ENCODE_SHARE = 0.05
DEADLINE = 15.0
RECOVERED = 2.0  # times a quiet click
GIVE_UP = 30.0  # seconds
REQUESTS = 'mvsam_requests_total{action="%s",model="mvsam_scene",status="OK"}'


@dataclass
class Seen:
    """What clients saw; lists of times (begin, end) by action, and errors."""

    clicks: list[tuple[float, float]] = field(default_factory=list)
    encodes: list[tuple[float, float]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    closes: int = 0


def mixture(service: Served, seconds: float, trial: Trial) -> None:
    """Eight clients, each with a scene that it clicks on and now and then replaces by another."""
    files = [photographs(views, seed=20 + views) for views in (2, 4, 6, 8)]
    seen = Seen()
    before = {action: service.metric(REQUESTS % action) for action in ("segment", "encode", "close")}
    until = time.monotonic() + seconds

    def work(number: int) -> None:
        rng = random.Random(number)
        scene: Scene | None = None
        with Client(service.grpc_url, retries=0, reencode=False) as client:
            while time.monotonic() < until:
                try:
                    began = time.monotonic()
                    if scene is None or rng.random() < ENCODE_SHARE:
                        if scene is not None:
                            closing, scene = scene, None
                            closing.close()
                            seen.closes += 1
                            began = time.monotonic()
                        scene = client.encode(files[rng.randrange(len(files))], timeout=DEADLINE * 4)
                        seen.encodes.append((began, time.monotonic()))
                    else:
                        scene.segment(points=[Click(0, rng.uniform(0, 479), rng.uniform(0, 359))], timeout=DEADLINE)
                        seen.clicks.append((began, time.monotonic()))
                except MvsamError as error:
                    seen.errors[f"{type(error).__name__}: {error}"[:200]] += 1

    together(CLIENTS, work)
    clicks = [end - begin for begin, end in seen.clicks]
    trial.figures["mixture"] = {
        "seconds": seconds,
        "clicks": len(clicks),
        "encodes": len(seen.encodes),
        "click, ms": milliseconds(clicks),
        "encode, ms": milliseconds([end - begin for begin, end in seen.encodes]),
        "errors": dict(seen.errors),
    }
    trial.expect(f"{CLIENTS} clients, {seconds / 60:g} minutes: no errors", f"{seen.errors.total()}", not seen.errors)
    ratio = percentile(clicks, 99) / percentile(clicks, 50)
    trial.expect("click p99 at most 5 times p50", f"{ratio:.1f} times", ratio <= 5)
    share = longest_beside_an_encode(seen)
    trial.expect(
        "no click waits for a whole encode: each is shorter than any that is computed beside it",
        f"the longest {1000 * max(clicks):.0f} ms; {share:.2f} of the time of an encode beside it at most",
        share < 1,
    )
    counted = {action: service.metric(REQUESTS % action) - before[action] for action in before}
    expected = {"segment": len(seen.clicks), "encode": len(seen.encodes), "close": seen.closes}
    trial.expect("counts are those of /metrics", f"{expected}", counted == expected)


def longest_beside_an_encode(seen: Seen) -> float:
    """The largest share that a click's time is of the time of an encode beside it, from its turn on to its end.

    Scenes are encoded one at a time, so an encode's turn comes when the one before it ends.
    """
    turns, free = [], 0.0
    for begin, end in sorted(seen.encodes, key=itemgetter(1)):
        turns.append((max(begin, free), end))
        free = end
    return max(
        (
            (end - begin) / (ended - began)
            for begin, end in seen.clicks
            for began, ended in turns
            if began < end and begin < ended
        ),
        default=0.0,
    )


def overload(service: Served, seconds: float, trial: Trial) -> None:
    """64 clients without a pause, a quarter of which encodes: each is answered in time, or told UNAVAILABLE."""
    files = photographs(20)
    ended: list[tuple[str, float]] = []  # appended to by all: outcome and seconds
    with Client(service.grpc_url, retries=0, reencode=False) as client, client.encode(files) as scene:
        quiet = sorted(click_seconds(scene) for _ in range(10))[5]
        until = time.monotonic() + seconds

        def timed(request: Callable[[], Scene | Segmentation | None]) -> Scene | Segmentation | None:
            began, outcome, answer = time.monotonic(), "answered", None
            try:
                answer = request()
            except ServerUnavailableError:
                outcome = "UNAVAILABLE"
            except MvsamError as error:
                outcome = f"{type(error).__name__}: {error}"[:200]
            ended.append((outcome, time.monotonic() - began))
            if outcome != "answered":
                time.sleep(0.1)
            return answer

        def work(number: int) -> None:
            click = [Click(number % 20, 240, 180)]
            while time.monotonic() < until:
                if number % 4:
                    timed(lambda: scene.segment(points=click, timeout=DEADLINE))
                elif isinstance(encoded := timed(lambda: client.encode(files[:4], timeout=DEADLINE)), Scene):
                    timed(encoded.close)

        with ThreadPoolExecutor(1) as pool:
            crowd = pool.submit(together, OVERLOAD_CLIENTS, work)
            time.sleep(max(0.0, until - time.monotonic()))
            recovered = _recovery(scene, RECOVERED * quiet) - until
            crowd.result()
    outcomes, slowest = Counter(outcome for outcome, _ in ended), max(took for _, took in ended)
    trial.figures["overload"] = {"seconds": seconds, "outcomes": dict(outcomes), "slowest, s": round(slowest, 2)}
    trial.expect(
        f"{OVERLOAD_CLIENTS} clients, {seconds:g} s: every request answered or UNAVAILABLE within its deadline, some "
        "of either",
        f"{dict(outcomes)}, the slowest after {slowest:.1f} s",
        set(outcomes) == {"answered", "UNAVAILABLE"} and slowest <= DEADLINE,
    )
    trial.expect("recovered within 5 s of the last request sent", f"{recovered:.2f} s", recovered <= 5)


def _recovery(scene: Scene, normal: float) -> float:
    """When the service answers a newcomer's click in normal time again, by time.monotonic; what waits is worked off."""
    until = time.monotonic() + GIVE_UP
    while time.monotonic() < until:
        try:
            if click_seconds(scene) <= normal:
                break
        except ServerUnavailableError:
            time.sleep(0.1)
    return time.monotonic()


def click_seconds(scene: Scene) -> float:
    """Of one click."""
    began = time.monotonic()
    scene.segment(points=[Click(3, 240, 180)])
    return time.monotonic() - began


def together(count: int, work: Callable[[int], None]) -> None:
    """Runs something in so many threads; what one of them raises, so does this."""
    with ThreadPoolExecutor(count) as pool:
        for future in [pool.submit(work, number) for number in range(count)]:
            future.result()
