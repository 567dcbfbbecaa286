"""Starts the embedded Triton server, waits until every model is ready, and leaves nothing behind.

    with TritonServer(Path("build/repository/demo")) as server:
        client = InferenceServerClient(server.grpc_url)

Whatever ends the block (an error, Ctrl-C at any moment of the start, a server that died) ends the server's processes
too, and removes the shared memory that they leave when they do not end by themselves.
"""

import atexit
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from server import runtime
from server.stubs import end_group
from server.triton_api import TritonApi

LOOPBACK = "127.0.0.1"
UNLOAD_WITHIN = 2.0  # seconds
SHARED_MEMORY = Path("/dev/shm")
# As Triton's log marks them, by level, month and day, and what it says of its arguments before it lists all of them.
ERROR_LINE = re.compile(r"E\d{4} |\S*tritonserver: |Invalid option ")
USAGE = "Usage: tritonserver [options]"
REPEATABLE = {"--backend-config", "--trace-config"}  # options of `tritonserver` that may be given several times
TABLE = ("|", "+")  # of the server's options, and of what the errors say already


class LaunchError(RuntimeError):
    """The server did not start or did not stay; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class Ports:
    """The loopback ports of the three endpoints."""

    http: int = 8000
    grpc: int = 8001
    metrics: int = 8002

    @classmethod
    def free(cls) -> "Ports":
        """Three ports nobody listens on, from below the range that outgoing connections are given."""
        candidates = random.sample(range(20_000, 32_000), 1000)
        chosen = [port for port in candidates if not _is_taken(port)][: len(fields(cls))]
        return cls(*chosen)

    def check(self) -> None:
        """Refuses ports that cannot be had.

        Raises:
            LaunchError: a port is used twice, or by another program.
        """
        by_endpoint = {field.name: getattr(self, field.name) for field in fields(self)}
        if len(set(by_endpoint.values())) < len(by_endpoint):
            raise LaunchError(f"the three ports must differ, got {by_endpoint}")
        for endpoint, port in by_endpoint.items():
            if _is_taken(port):
                variable = f"{endpoint.upper()}_PORT"
                raise LaunchError(
                    f"port {port} of {LOOPBACK}, meant for {endpoint}, is taken by another program; stop it, or "
                    f"choose another port: --{endpoint}-port N (make serve {variable}=N)"
                )


@dataclass(frozen=True)
class Tracing:
    """OpenTelemetry traces of requests.

    Attributes:
        url: where they are sent, OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces.
        rate: one of so many requests is traced; those that come as part of a trace always are.
    """

    url: str
    rate: int = 1000

    def arguments(self) -> list[str]:
        """Of `tritonserver`."""
        settings = (
            "mode=opentelemetry",
            f"rate={self.rate}",
            "level=TIMESTAMPS",
            f"opentelemetry,url={self.url}",
            "opentelemetry,resource=service.name=mvsam",
        )
        return [f"--trace-config={setting}" for setting in settings]


class TritonServer:
    """A `tritonserver` process of our own, on loopback only.

    Args:
        repository: the assembled model repository.
        ports: where to listen; free ports where None.
        log: the file for Triton's log; a temporary one, gone with the server, where None.
        ready_within: seconds until every model must be ready.
        stop_within: seconds that requests in flight get to complete at `stop`.
        tracing: of requests; none where None.
        installation: folder of a whole Triton, such as its container's /opt/tritonserver; the embedded one where None.
        arguments: more for `tritonserver`.
    """

    def __init__(
        self,
        repository: Path,
        *,
        ports: Ports | None = None,
        log: Path | None = None,
        ready_within: float = 300.0,
        stop_within: int = 30,
        tracing: Tracing | None = None,
        installation: Path | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.repository = repository
        self.ports = ports or Ports.free()
        self._log = log
        self._ready_within = ready_within
        self._stop_within = stop_within
        self._tracing, self._installation = tracing, installation
        self._more = list(arguments)
        # All shared memory of this server's processes begins with this name and nobody else's does.
        self._prefix = f"mvsam_{os.getpid()}_{uuid.uuid4().hex[:8]}_"
        self.api = TritonApi(self.http_url)
        self._given_up = threading.Event()
        self._workspace: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "TritonServer":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def http_url(self) -> str:
        return f"{LOOPBACK}:{self.ports.http}"

    @property
    def grpc_url(self) -> str:
        return f"{LOOPBACK}:{self.ports.grpc}"

    @property
    def metrics_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.metrics}/metrics"

    @property
    def pid(self) -> int | None:
        """Of the `tritonserver` process, None while there is none."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts the server and returns when all models are ready.

        Raises:
            UnsuitableEnvironmentError: the environment cannot run it.
            LaunchError: a port is taken, an argument is ours to give, a model does not load, or the deadline passed.
                Nothing is left behind.
        """
        if self._process:
            raise LaunchError("this server has been started already")
        runtime.check_repository(self.repository)
        self.ports.check()
        # The last resort for an interrupt that falls between the lines of `stop` or of a `with` statement.
        atexit.register(self.stop)
        try:
            with _interrupts_deferred():
                self._launch()
            self._wait_until_ready()
        except BaseException:
            self.destroy()
            raise

    def give_up(self) -> None:
        """Lets `start`, in another thread, end as if it had failed; does nothing to a server that is ready."""
        self._given_up.set()

    def stop(self) -> None:
        """Ends the server: requests in flight complete, then the processes go, and what they left.

        A second Ctrl-C while it waits ends the processes at once.
        """
        if self._process is None:
            return
        try:
            if not self.has_exited():
                self._process.terminate()
                # Triton counts the same seconds by itself; it gets a little longer to unload its models.
                self._wait_for_exit(self._stop_within + UNLOAD_WITHIN)
        finally:
            self.destroy()

    def has_exited(self) -> bool:
        """Whether the `tritonserver` process is gone (or was never there)."""
        if self._process is None or self._process.returncode is not None:
            return True
        # Not `poll`, which would reap it: while the leader is a zombie its group's number stays ours to signal.
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def log_tail(self, lines: int = 20) -> str:
        """The last errors in the log, which Triton's closing words push far up, and its last lines."""
        path = self._log_path()
        if path is None or not path.exists():
            return "(no log)"
        logged = [line for line in path.read_text(errors="replace").splitlines() if not line.startswith(TABLE)]
        if USAGE in logged:
            return "\n".join(line for line in logged if ERROR_LINE.match(line))
        errors = [line for line in logged[:-lines] if ERROR_LINE.match(line)]
        return "\n".join(errors[-lines:] + logged[-lines:])

    def _launch(self) -> None:
        self._workspace = Path(tempfile.mkdtemp(prefix="mvsam-triton-"))
        folder = self._installation
        triton = runtime.installed(folder) if folder else runtime.assemble(self._workspace)
        log = self._log_path()
        assert log is not None
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [triton.executable, *self._arguments(triton)],
                env=triton.environment,
                stdin=subprocess.DEVNULL,
                # Away from the folder we were started in, whose modules the stub would import before installed ones.
                cwd=self._workspace,
                stdout=stream,
                stderr=subprocess.STDOUT,
                # A session of its own: Ctrl-C in the terminal reaches us only, and the group is ours to end.
                start_new_session=True,
            )

    def _arguments(self, triton: runtime.Runtime) -> list[str]:
        own = [
            f"--model-repository={self.repository.resolve()}",
            f"--backend-directory={triton.backends}",
            f"--cache-directory={triton.caches}",
            # The config.pbtxt files are complete; asking every model again would only double the time to start.
            "--disable-auto-complete-config",
            # All models, and each may be loaded again when its process has died.
            "--model-control-mode=explicit",
            "--load-model=*",
            f"--backend-config=python,shm-region-prefix-name={self._prefix}",
            f"--http-address={LOOPBACK}",
            f"--http-port={self.ports.http}",
            f"--grpc-address={LOOPBACK}",
            f"--grpc-port={self.ports.grpc}",
            f"--metrics-address={LOOPBACK}",
            f"--metrics-port={self.ports.metrics}",
            f"--exit-timeout-secs={self._stop_within}",
            *(self._tracing.arguments() if self._tracing else []),
        ]
        taken = {argument.partition("=")[0] for argument in own} - REPEATABLE
        for name in (argument.partition("=")[0] for argument in self._more):
            if name in taken:
                raise LaunchError(f"{name} of tritonserver is not yours to give: this server sets it; leave it out")
        return [*own, *self._more]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._ready_within
        # Triton opens its metrics last, a little after it calls itself ready.
        while not (self.api.is_ready() and _is_taken(self.ports.metrics)):
            if self._given_up.is_set():
                raise LaunchError("told to stop before it was ready")
            if self.has_exited():
                raise LaunchError(f"Triton ended while starting; the end of its log:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise LaunchError(
                    f"Triton was not ready within {self._ready_within:g} s; the end of its log:\n{self.log_tail()}"
                )
            time.sleep(0.05)

    def _wait_for_exit(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.has_exited() and time.monotonic() < deadline:
            time.sleep(0.05)

    def destroy(self) -> None:
        """Ends the server at once and removes whatever is left of its processes, shared memory and workspace."""
        with _interrupts_deferred():
            if self._process is not None:
                end_group(self._process)
                self._process = None
            for entry in SHARED_MEMORY.glob(f"{self._prefix}*"):
                entry.unlink(missing_ok=True)
            if self._workspace is not None:
                shutil.rmtree(self._workspace, ignore_errors=True)
                self._workspace = None
            atexit.unregister(self.stop)

    def _log_path(self) -> Path | None:
        return self._log or (self._workspace / "triton.log" if self._workspace else None)


@contextlib.contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Lets SIGINT and SIGTERM wait until the block is done, so that it is never left half finished."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs signal handlers in the main thread only.
        return
    pending: list[int] = []
    previous: dict[int, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.getsignal(number)
            signal.signal(number, lambda received, frame: pending.append(received))
        yield
    finally:
        for number, handler in previous.items():
            # None: installed by other than Python, and not ours to give back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    for number in pending:
        signal.raise_signal(number)


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of the past that linger are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False
