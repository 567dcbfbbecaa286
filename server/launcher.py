"""Starts the embedded Triton server, waits until every model is ready, and leaves nothing behind.

    with TritonServer(Path("build/repository/demo")) as server:
        client = InferenceServerClient(server.grpc_url)

Whatever ends the block (an error, Ctrl-C at any moment of the start, a server that died, SIGKILL) ends the server's
processes too, and removes the shared memory that they leave when they do not end by themselves.

The server listens to sockets in a folder of its own, which other users of the machine cannot enter, and to no network.
"""

import atexit
import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server import runtime, shared_memory, watchdog, workspaces
from server.stubs import end_group
from server.triton_api import TritonApi

UNLOAD_WITHIN = 2.0  # seconds
CLEARED_WITHIN = 10.0  # seconds: for the watchdog to end everything
OWN_USER = 0o077  # umask: what is made is for nobody else
# As Triton's log marks them, by level, month and day, and what it says of its arguments before it lists all of them.
ERROR_LINE = re.compile(r"E\d{4} |\S*tritonserver: |Invalid option ")
USAGE = "Usage: tritonserver [options]"
REPEATABLE = {"--backend-config", "--trace-config"}  # options of `tritonserver` that may be given several times
TABLE = ("|", "+")  # of the server's options, and of what the errors say already


class LaunchError(RuntimeError):
    """The server did not start or did not stay; the message ends with the last lines of its log."""


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
    """A `tritonserver` process of our own, which only this user reaches.

    Args:
        repository: the assembled model repository.
        log: the file for Triton's log; a temporary one, gone with the server, where None.
        ready_within: seconds until every model must be ready.
        stop_within: seconds that requests in flight get to complete at `stop`.
        tracing: of requests; none where None.
        installation: folder of a whole Triton, such as its container's /opt/tritonserver; the embedded one where None.
        arguments: more for `tritonserver`.

    Attributes:
        workspace: the folder of its sockets, there from start to end.
        log: the file for Triton's log.
        pid: of the `tritonserver` process, None while there is none.
    """

    def __init__(
        self,
        repository: Path,
        *,
        log: Path | None = None,
        ready_within: float = 300.0,
        stop_within: int = 30,
        tracing: Tracing | None = None,
        installation: Path | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.repository = repository
        self._ready_within = ready_within
        self._stop_within = stop_within
        self._tracing, self._installation = tracing, installation
        self._more = list(arguments)
        # All shared memory of this server's processes begins with this name and nobody else's does.
        self.workspace = Path(tempfile.gettempdir()) / f"mvsam_{os.getpid()}_{uuid.uuid4().hex[:8]}"
        self.log = log or self.workspace / "triton.log"
        self.api = TritonApi(self.grpc_url)
        self.pid: int | None = None
        self._given_up = threading.Event()
        self._locks: list[int] = []  # descriptors of the workspace and of the log
        self._watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "TritonServer":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def grpc_url(self) -> str:
        """For gRPC's clients, on this machine and of this user."""
        return f"unix:{self.workspace}/grpc:1"  # Triton puts a port behind whatever address it is given

    @property
    def metrics_socket(self) -> Path:
        """Behind which HTTP has the page /metrics."""
        return self.workspace / "metrics"

    def start(self) -> None:
        """Starts the server and returns when all models are ready.

        Raises:
            UnsuitableEnvironmentError: the environment cannot run it.
            LaunchError: the log is another server's, an argument is ours to give, a model does not load, or the
                deadline passed. Nothing is left behind.
        """
        if self._watchdog:
            raise LaunchError("this server has been started already")
        runtime.check_repository(self.repository)
        shared_memory.check_room(self.repository)
        workspaces.check_length(self.metrics_socket)
        workspaces.remove_abandoned()
        # The last resort for an interrupt that falls between the lines of `stop` or of a `with` statement.
        atexit.register(self.stop)
        try:
            with _interrupts_deferred():
                self._launch()
            self._wait_until_ready()
            shared_memory.check_private(f"{self.workspace.name}_")
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
        if self._watchdog is None:
            return
        try:
            if not self.has_exited():
                self._watchdog.terminate()  # it tells Triton
                # Triton counts the same seconds by itself; it gets a little longer to unload its models.
                self._wait_for_exit(self._stop_within + UNLOAD_WITHIN)
        finally:
            self.destroy()

    def has_exited(self) -> bool:
        """Whether the `tritonserver` process is gone (or was never there)."""
        if self._watchdog is None:
            return True
        assert self._watchdog.stdout is not None
        told = select.poll()  # not `select`, which takes no descriptor beyond 1023
        told.register(self._watchdog.stdout)
        return bool(told.poll(0))  # its end, for nothing else is told any more

    def log_tail(self, lines: int = 20) -> str:
        """The last errors in the log, which Triton's closing words push far up, and its last lines."""
        if not self.log.exists():
            return "(no log)"
        logged = [line for line in self.log.read_text(errors="replace").splitlines() if not line.startswith(TABLE)]
        if USAGE in logged:
            return "\n".join(line for line in logged if ERROR_LINE.match(line))
        errors = [line for line in logged[:-lines] if ERROR_LINE.match(line)]
        return "\n".join(errors[-lines:] + logged[-lines:])

    def _launch(self) -> None:
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__, self.workspace],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            umask=OWN_USER,
            # A session of its own: Ctrl-C in the terminal reaches us only.
            start_new_session=True,
        )
        self._locks.append(workspaces.make(self.workspace))
        folder = self._installation
        triton = runtime.installed(folder) if folder else runtime.assemble(self.workspace)
        command = [str(triton.executable), *self._arguments(triton)]
        self._locks.append(_make_log(self.log))
        assert self._watchdog.stdin is not None and self._watchdog.stdout is not None
        told = {"command": command, "environment": triton.environment, "log": str(self.log.absolute())}
        self._watchdog.stdin.write(json.dumps(told).encode() + b"\n")
        number = self._watchdog.stdout.readline()
        self.pid = int(number) if number else None

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
            f"--backend-config=python,shm-region-prefix-name={self.workspace.name}_",
            *(f"--allow-{other}=false" for other in ("http", "sagemaker", "vertex-ai")),
            "--grpc-address=" + self.grpc_url.removesuffix(":1"),
            "--grpc-port=1",
            f"--metrics-address=unix:{self.metrics_socket}",
            "--metrics-port=1",
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
        while not (self.api.is_ready() and self.metrics_socket.exists()):
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
            if self._watchdog is not None:
                self._end_watchdog(self._watchdog)
                self._watchdog = self.pid = None
                watchdog.remove(self.workspace)  # where it could not
            while self._locks:
                os.close(self._locks.pop())
            atexit.unregister(self.stop)

    def _end_watchdog(self, process: subprocess.Popen[bytes]) -> None:
        """Lets the watchdog end everything; does it in its place where it was killed or does not get to it."""
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(CLEARED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        if process.returncode and self.pid is not None:
            end_group(self.pid)


def _make_log(path: Path) -> int:
    """Makes a log empty and private, and locks it; returns the descriptor that holds the lock.

    What is there of a former start, which may have crashed, is kept beside it, with `.1` behind its name.

    Raises:
        LaunchError: it is another server's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if not stat.S_ISREG(os.fstat(log).st_mode):
        return log  # a terminal, a pipe
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(log)
        raise LaunchError(
            f"{path} is the log of another server that runs; stop that, or choose another: --log FILE "
            "(make serve LOG=FILE)"
        ) from None
    os.fchmod(log, 0o600)
    if os.fstat(log).st_size:
        former = path.with_name(path.name + ".1")
        former.unlink(missing_ok=True)
        former.touch(0o600)
        shutil.copyfile(path, former)
        os.ftruncate(log, 0)
    return log


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
