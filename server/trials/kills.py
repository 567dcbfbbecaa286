"""Processes killed and stopped under the service: it says so, comes back, and never answers wrongly.

Health is looked at 20 times a second, and refused clients pause as the SDK does. With 100 looks a second and pauses of
0.05 s, asking and refusing took 2.6 of the 6.7 s of processor time of a recovery of Triton: two cores were measured
while they answered the measurement.
"""

import re
import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil

from server.doorman import AT_ONCE
from server.stubs import stubs_of
from server.trials import abandoned
from server.trials.figures import Trial
from server.trials.questions import Questioner
from server.trials.running import Served, served, shared_memory
from server.trials.traffic import DEADLINE, Traffic

KILLS, STOPS, SERVERS, ENDS = 30, 5, 10, 10
LOOK_EVERY = 0.05  # seconds
GIVE_UP = 60.0
GRACE = 0.1  # seconds before SIGTERM in which a request may not have arrived yet


def run(repository: Path, scratch: Path, trial: Trial) -> None:
    """Models' processes, then Triton itself, then the service's own end, in order and by force."""
    before = set(shared_memory())
    with served(repository, scratch / "kills_triton.log") as service:
        traffic = Traffic(service.grpc_url)
        models = sorted({stub.model for stub in stubs_of(service.triton().pid)})
        rounds = [divmod(k, len(models)) for k in range(KILLS)]  # of idle processes, then of busy ones, and so on
        killed = [_struck(service, traffic, models[k], signal.SIGKILL, idle=each % 2 == 0) for each, k in rounds]
        _judge(
            f"kill -9 of the processes of {len(models)} models, idle and at work, {KILLS} times", killed, 1, 5, trial
        )
        stopped = [
            _struck(service, traffic, models[2 * k % len(models)], signal.SIGSTOP, idle=False) for k in range(STOPS)
        ]
        _judge(f"kill -STOP, {STOPS} times", stopped, 10, 15, trial)
        questioner = Questioner(service)
        servers = [_struck(service, traffic, None, signal.SIGKILL, idle=k % 2 == 0) for k in range(SERVERS)]
        questioner.close("while Triton is killed and started anew", trial)
        _judge(f"kill -9 of tritonserver, {SERVERS} times", servers, 1, 10, trial)
        traffic.close()
        kinds = traffic.kinds()
        trial.figures["requests around the kills"] = dict(kinds)
        slowest = max(outcome.ended - outcome.began for outcome in traffic.outcomes)
        inside = sum(service.metric(f'mvsam_requests_inside{{model="{model}"}}') for model in AT_ONCE)
        trial.expect(
            "no wrong mask ever; every request is answered, or ends by UNAVAILABLE or by the loss of its scene before "
            "its deadline, and none stays inside",
            f"{kinds['wrong mask']} wrong of {kinds['answered']}, {kinds.total() - kinds['answered']} errors; "
            f"the slowest after {slowest:.1f} s, {inside:g} inside at the end",
            all(outcome.is_expected for outcome in traffic.outcomes) and slowest < DEADLINE and not inside,
        )
    _ends(repository, scratch, trial)
    _end_amid_a_loss(repository, scratch, trial)
    abandoned.run(repository, scratch, trial)
    left = {name for name in shared_memory() if name not in before and _is_abandoned(name)}
    trial.expect("no shared memory left", f"{len(left)} segments", not left)


def _is_abandoned(segment: str) -> bool:
    """Whether a service left it: it is named after a process that is no more; others may come and go meanwhile."""
    named = re.match(r"mvsam_(\d+)_", segment)
    return named is not None and not psutil.pid_exists(int(named[1]))


def _struck(
    service: Served, traffic: Traffic, model: str | None, number: signal.Signals, *, idle: bool
) -> tuple[float, float]:
    """Signals a model's process, or Triton's; seconds until the service is not ready, and until it answers again."""
    triton = service.triton()
    process = triton if model is None else next(s.process for s in stubs_of(triton.pid) if s.model == model)
    if idle:
        return _times(service, traffic, process, number)
    with traffic.flowing():
        time.sleep(0.3)
        return _times(service, traffic, process, number)


def _times(service: Served, traffic: Traffic, process: psutil.Process, number: signal.Signals) -> tuple[float, float]:
    process.send_signal(number)
    began = time.monotonic()
    noticed = _wait(began, lambda: not service.is_ready())
    _wait(began, service.is_ready)
    back = _wait(began, traffic.answers)
    return noticed, back


def _wait(began: float, happens: Callable[[], bool]) -> float:
    """Seconds since `began` at which something is true; infinite if it takes too long."""
    while not happens():
        if time.monotonic() - began > GIVE_UP:
            return float("inf")
        time.sleep(LOOK_EVERY)
    return time.monotonic() - began


def _judge(what: str, times: list[tuple[float, float]], noticed: float, back: float, trial: Trial) -> None:
    unready, good = zip(*times, strict=True)
    trial.figures[what] = {
        name: f"median {statistics.median(values):.2f} s, longest {max(values):.2f} s"
        for name, values in (("not ready after", unready), ("good answers after", good))
    }
    trial.expect(
        f"{what}: not ready within {noticed} s, good answers within {back} s",
        f"{max(unready):.2f} s and {max(good):.2f} s at most",
        max(unready) <= noticed and max(good) <= back,
    )


def _ends(repository: Path, scratch: Path, trial: Trial) -> None:
    """SIGTERM under load: what was let in is answered."""
    seconds, codes, late = [], Counter(), Counter()
    for k in range(ENDS):
        with served(repository, scratch / f"end_{k}_triton.log") as service:
            traffic = Traffic(service.grpc_url, clickers=4, senders=2)
            with traffic.flowing():
                time.sleep(1)
                began = time.monotonic()
                service.process.terminate()
                codes[service.process.wait(timeout=GIVE_UP)] += 1
                seconds.append(time.monotonic() - began)
            traffic.close()
            late.update(each.kind for each in traffic.outcomes if each.began < began - GRACE)
    trial.figures["SIGTERM, seconds until the exit"] = [round(each, 2) for each in seconds]
    trial.figures["SIGTERM, requests that had come in before"] = dict(late)
    trial.expect(
        f"SIGTERM under load, {ENDS} times: what had come in is answered, exit 0 within 10 s",
        f"{late['answered']} of {late.total()} answered, exit codes {dict(codes)}, {max(seconds):.1f} s at most",
        late["answered"] == late.total() and set(codes) == {0} and max(seconds) <= 10,
    )


def _end_amid_a_loss(repository: Path, scratch: Path, trial: Trial) -> None:
    """SIGTERM while a lost process, or Triton itself, is being replaced."""
    ends = []
    for server in (False, True):
        with served(repository, scratch / "amid_triton.log") as service:
            triton = service.triton()
            (triton if server else stubs_of(triton.pid)[0].process).kill()
            time.sleep(0.2)
            began = time.monotonic()
            service.process.terminate()
            ends.append((service.process.wait(timeout=GIVE_UP), time.monotonic() - began))
    trial.expect(
        "SIGTERM while a model or Triton is being started again: exit 0 within 10 s",
        ", ".join(f"exit {code} after {seconds:.1f} s" for code, seconds in ends),
        all(code == 0 and seconds <= 10 for code, seconds in ends),
    )
