"""SIGKILL of the service itself at random moments: what is left of it, and how soon the next start answers.

Every service of these trials has a TMPDIR of its own, by which its processes, and those of its models, are known
wherever they end up in the tree of processes.
"""

import contextlib
import os
import random
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psutil

from mvsam_client import Click, Client, MvsamError
from server.stubs import is_alive, stubs_of
from server.trials.figures import Trial
from server.trials.latency import photographs
from server.trials.running import Served, shared_memory, start, when_ready

KILLS, KILLS_OF_BOTH = 20, 5
SEED = 16
NOTHING_AFTER, ANSWERS_AFTER = 3.0, 10.0  # seconds that are demanded
GIVE_UP = 60.0
LOOK_EVERY = 0.05  # seconds
VIEWS = 8
CLICK = Click(0, 100, 100)
# The kill falls so many seconds at most after the moment has begun.
STARTING, IDLE, ENCODING, CLICKING, STOPPING, REPLACING = MOMENTS = (
    "starting", "idle", "encoding", "clicking", "stopping", "replacing a model",
)  # fmt: skip
LONGEST = {STARTING: 4.0, IDLE: 0.5, ENCODING: 2.0, CLICKING: 1.0, STOPPING: 3.0, REPLACING: 1.5}


def run(repository: Path, scratch: Path, trial: Trial) -> None:
    """Kills the service alone, whose watchdog clears up; then both at once, after which the next start does."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:  # short: a socket's path has 107 bytes at most
        starter = _Starter(repository, scratch / "abandoned_triton.log", Path(folder))
        rng = random.Random(SEED)
        service, _ = starter.until_it_answers()
        service = _kill_alone(service, starter, rng, trial)
        service = _kill_with_watchdog(service, starter, rng, trial)
        starter.end(service)


def _kill_alone(service: Served, starter: "_Starter", rng: random.Random, trial: Trial) -> Served:
    cleared, answered, left = [], [], list[str]()
    for k in range(KILLS):
        moment = MOMENTS[k % len(MOMENTS)]
        process = _at(moment, rng.uniform(0, LONGEST[moment]), service, starter)
        process.kill()
        process.communicate(timeout=GIVE_UP)
        seconds, remains = starter.cleared()
        cleared.append(seconds)
        left += [f"{moment}: {each}" for each in remains]
        service, seconds = starter.until_it_answers()
        answered.append(seconds)
    for until, found in (("nothing is left", cleared), ("the next start answers", answered)):
        trial.figures[f"kill -9 of the service, seconds until {until}"] = [round(each, 2) for each in found]
    trial.expect(
        f"kill -9 of the service at {KILLS} random moments ({', '.join(MOMENTS)}): {NOTHING_AFTER:g} s later no "
        f"process, shared memory, file or open port is left; the next start answers within {ANSWERS_AFTER:g} s",
        f"after {max(cleared):.2f} s {_few(left)}; {max(answered):.2f} s at most",
        not left and max(answered) <= ANSWERS_AFTER,
    )
    return service


def _kill_with_watchdog(service: Served, starter: "_Starter", rng: random.Random, trial: Trial) -> Served:
    answered, left = [], list[str]()
    for k in range(KILLS_OF_BOTH):
        moment = (IDLE, CLICKING)[k % 2]
        process, former = _at(moment, rng.uniform(0, LONGEST[moment]), service, starter), starter.processes()
        own = psutil.Process(process.pid)
        both = [own, *own.children()]
        for each in both:  # neither sees the other's end
            each.suspend()
        for each in both:
            each.kill()
        process.communicate(timeout=GIVE_UP)
        service, seconds = starter.until_it_answers()
        answered.append(seconds)
        left += [f"process {each.pid}" for each in former if is_alive(each)] + starter.files_of_former()
    trial.expect(
        f"kill -9 of the service and its watchdog at once, {KILLS_OF_BOTH} times: the next start leaves no process, "
        f"shared memory or file of theirs, and answers within {ANSWERS_AFTER:g} s",
        f"{_few(left)}; {max(answered):.2f} s at most",
        not left and max(answered) <= ANSWERS_AFTER,
    )
    return service


def _few(left: list[str]) -> str:
    """Names some of what is left."""
    return f"{len(left)} are left: {', '.join(left[:3])}" if left else "nothing is left"


def _at(moment: str, seconds: float, service: Served, starter: "_Starter") -> subprocess.Popen[str]:
    """Returns the process of a service to which a moment has come so many seconds ago.

    Args:
        moment: one of `MOMENTS`.
        seconds: since its beginning.
        service: that is ready; it is ended in order where another has to be starting.
        starter: of both.
    """
    if moment == STARTING:
        starter.end(service)
        process = starter.start()
        time.sleep(seconds)
        return process
    if moment in (ENCODING, CLICKING):
        threading.Thread(target=_ask, args=(service.grpc_url, starter.files, moment == CLICKING), daemon=True).start()
    elif moment == STOPPING:
        service.process.terminate()
    elif moment == REPLACING:
        stubs_of(service.triton().pid)[0].kill()
    time.sleep(seconds)
    return service.process


def _ask(url: str, files: list[bytes], by_clicks: bool) -> None:
    """Encodes photographs, or clicks on them, again and again until the service is gone."""
    with contextlib.suppress(MvsamError), Client(url, retries=0, reencode=False) as client:
        scene = client.encode(files, timeout=GIVE_UP)
        while True:
            if by_clicks:
                scene.segment(points=[CLICK], timeout=GIVE_UP)
            else:
                client.encode(files, timeout=GIVE_UP)


class _Starter:
    """Starts services one after the other, on the same ports, with the same log and TMPDIR.

    Args:
        repository: that they serve.
        log: Triton's.
        folder: their TMPDIR, empty.

    Attributes:
        files: photographs to ask them about.
    """

    def __init__(self, repository: Path, log: Path, folder: Path) -> None:
        self._repository, self._log, self._folder = repository, log, folder
        self._ports = _free_port(), _free_port()
        self._started: list[int] = []  # their process numbers
        self.files = photographs(VIEWS)

    def start(self) -> subprocess.Popen[str]:
        """Starts one, and returns at once."""
        ports = (f"--{name}-port={port}" for name, port in zip(("grpc", "http"), self._ports, strict=True))
        environment = os.environ | {"TMPDIR": str(self._folder)}
        process = start(self._repository, self._log, *ports, environment=environment)
        self._started.append(process.pid)
        return process

    def until_it_answers(self) -> tuple[Served, float]:
        """Starts one; returns it after its first mask, and the seconds that took."""
        began = time.monotonic()
        service = when_ready(self.start(), self._log)
        with Client(service.grpc_url, retries=0) as client, client.encode(self.files[:2], timeout=GIVE_UP) as scene:
            scene.segment(points=[CLICK], timeout=GIVE_UP)
        return service, time.monotonic() - began

    def end(self, service: Served) -> None:
        """Ends one in order."""
        service.process.terminate()
        service.process.communicate(timeout=GIVE_UP)

    def processes(self) -> list[psutil.Process]:
        """Those that were started with this TMPDIR and run, or could."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("TMPDIR") == str(self._folder) and is_alive(process):
                    found.append(process)
        return found

    def cleared(self) -> tuple[float, list[str]]:
        """Waits until nothing is left of any; returns the seconds, and what is left where they are too many."""
        began = time.monotonic()
        while left := self._left():
            if time.monotonic() - began > NOTHING_AFTER:
                break
            time.sleep(LOOK_EVERY)
        return time.monotonic() - began, left

    def files_of_former(self) -> list[str]:
        """Files and shared memory of all but the last that was started."""
        last = f"mvsam_{self._started[-1]}_"
        segments = [name for each in self._started[:-1] for name in shared_memory(each)]
        return [*segments, *(file.name for file in self._folder.iterdir() if not file.name.startswith(last))]

    def _left(self) -> list[str]:
        return [
            *(f"process {each.pid}" for each in self.processes()),
            *(name for each in self._started for name in shared_memory(each)),
            *(file.name for file in self._folder.iterdir()),
            *(f"port {port}" for port in self._ports if _is_open(port)),
        ]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _is_open(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0
