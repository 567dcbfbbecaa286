"""The whole service as a process, as an operator starts it."""

import contextlib
import re
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parents[2]


@dataclass
class Served:
    """One that is ready."""

    process: subprocess.Popen[str]
    grpc_url: str
    http_url: str
    log_file: Path
    scheme: str = "http"

    def is_ready(self) -> bool:
        """As its health endpoint says."""
        try:
            return self.get("v2/health/ready")[0] == 200
        except OSError:
            return False

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page."""
        try:
            url, unchecked = f"{self.scheme}://{self.http_url}/{path}", ssl._create_unverified_context()
            with urllib.request.urlopen(url, timeout=60, context=unchecked) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def log(self) -> str:
        """What it has logged so far, a line for every request."""
        return self.log_file.read_text()

    def restarts(self) -> float:
        """How many lost processes it has replaced so far."""
        return sum(map(float, re.findall(r"^mvsam_restarts_total\S* (\S+)$", self.get("metrics")[1], re.MULTILINE)))

    def processes(self) -> list[psutil.Process]:
        """Its own, Triton's and the models'."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def triton(self) -> psutil.Process:
        """`tritonserver`."""
        return next(each for each in self.processes() if each.name() == "tritonserver")

    def resident(self) -> int:
        """Bytes of memory, of all its processes."""
        return sum(each.memory_info().rss for each in self.processes())

    def metric(self, line: str) -> float:
        """A value, by its name and labels; 0 where it is not there yet."""
        found = re.search(rf"^{re.escape(line)} (\S+)$", self.get("metrics")[1], re.MULTILINE)
        return float(found[1]) if found else 0.0


def shared_memory(service: int | None = None) -> dict[str, int]:
    """Bytes of shared memory by segment: of one service, by its process, or of all on this machine."""
    segments = Path("/dev/shm").glob("*" if service is None else f"mvsam_{service}_*")
    return {each.name: each.stat().st_size for each in segments}


def start(
    repository: Path,
    log: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
    inside: Sequence[str] = (),
) -> subprocess.Popen[str]:
    """Starts it on free ports, unless the options name others.

    Args:
        repository: that it serves.
        log: Triton's; its own is beside it.
        options: more of its command line.
        environment: that it gets; this process's where None.
        inside: a program that becomes it, with its arguments.
    """
    command = [*inside, sys.executable, "-m", "server.serve", f"--repository={repository}", f"--log={log}"]
    ports = ["--grpc-port=0", "--http-port=0"]
    with _own_log(log).open("w") as errors:
        return subprocess.Popen(
            [*command, *ports, *options], cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )


def when_ready(process: subprocess.Popen[str], log: Path) -> Served:
    """Returns a service that was started with this log, once it says that it is ready."""
    assert process.stdout is not None
    said, own_log = "", _own_log(log)
    for line in process.stdout:
        said += line
        if line.startswith("ready"):
            break
    grpc, http = re.search(r"gRPC +(\S+)", said), re.search(r"health +(https?)://([^/]+)/", said)
    assert grpc and http, (said, own_log.read_text())
    return Served(process, grpc[1], http[2], own_log, http[1])


def _own_log(log: Path) -> Path:
    return log.parent / "serve.log"


@contextlib.contextmanager
def served(repository: Path, log: Path, *options: str, inside: Sequence[str] = ()) -> Iterator[Served]:
    """Starts it on free ports, by a program that becomes it where `inside` names one; ends it with SIGTERM."""
    process = start(repository, log, *options, inside=inside)
    try:
        yield when_ready(process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
