"""The whole service in one process: its doors, its health and metrics, and the supervised Triton behind them."""

import asyncio
import logging
import math
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2_grpc

from mvsam.runtime.freed_memory import give_back
from server.descriptors import within_descriptors
from server.doorman import AT_ONCE, Doorman, Token
from server.entry import OPTIONS, Entry
from server.errands import Errands
from server.followed import Followed
from server.grpc_admission import Admission, options
from server.http_errors import Site, runner_of
from server.http_inference import HttpInference
from server.identity import Identity, grpc_credentials, http_context
from server.incoming import Incoming
from server.launcher import LaunchError, TritonServer
from server.limits import MEBIBYTE, EntryLimits
from server.measures import Measures
from server.signatures import read_signatures
from server.supervisor import Supervisor
from server.warmup import warm_up

logger = logging.getLogger(__name__)
messages: Any = health_pb2

CLOSED_WITHIN = 2.0  # seconds, for connections at the end
LOOK_AGAIN = 0.1  # seconds, for those who watch the health
READ_AGAIN_WITHIN = 1.0  # seconds, for files that have changed
OWN_PORT = ("grpc.so_reuseport", 0)  # not shared with another server, which would get some of the clients


@dataclass(frozen=True)
class Door:
    """Where and how clients come in.

    Attributes:
        host: address to listen on.
        grpc_port: of the entry; 0 for any free one.
        http_port: of inference, health and metrics; likewise.
        identity: for TLS, on both, from files that may change; None for plain connections.
        tokens: of clients, from a file that may change; None where everybody may come in.
        limits: of what they take.
    """

    host: str = "127.0.0.1"
    grpc_port: int = 8001
    http_port: int = 8000
    identity: Followed[Identity] | None = None
    tokens: Followed[list[Token]] | None = None
    limits: EntryLimits = field(default_factory=EntryLimits)


class Health(health_pb2_grpc.HealthServicer):
    """grpc.health.v1: one answer for the whole service, by whatever name."""

    def __init__(self, is_ready: Callable[[], bool]) -> None:
        self._is_ready = is_ready

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._response()

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        told = None
        while True:
            if (now := self._response()) != told:
                yield now
                told = now
            await asyncio.sleep(LOOK_AGAIN)

    def _response(self) -> Any:
        serving = messages.HealthCheckResponse.SERVING
        return messages.HealthCheckResponse(
            status=serving if self._is_ready() else messages.HealthCheckResponse.NOT_SERVING
        )


class Service:
    """Everything, from start to end; used within one event loop.

    Args:
        triton: not yet started.
        door: for clients.
        ready_within: seconds for the first request.
        drain_within: seconds that requests inside get to be answered at the end.
    """

    def __init__(
        self, triton: TritonServer, door: Door, ready_within: float = 600.0, drain_within: float = 5.0
    ) -> None:
        self._triton, self._door = triton, door
        self._ready_within, self._drain_within = ready_within, drain_within
        self._loop = asyncio.get_running_loop()
        self._supervisor = Supervisor(triton, on_loss=self._on_loss)
        signatures = read_signatures(triton.repository)
        tokens = door.tokens.value if door.tokens else None
        doorman = self._doorman = Doorman(tokens, {model: AT_ONCE[model] for model in signatures})
        self._measures = Measures(lambda: self.is_ready, lambda: doorman.inside, self._supervisor.restarts)
        self._limits = limits = within_descriptors(door.limits)
        self._errands = Errands(
            triton.grpc_url, lambda: self.is_ready, doorman, signatures, self._measures, limits=limits
        )
        needs_certificate = door.identity is not None and door.identity.value.clients is not None
        self._inference = HttpInference(self._errands, limits, needs_certificate)
        self._incoming = Incoming(limits.in_flight_mib * MEBIBYTE, limits.connections)
        # Connections that are not through with TLS yet, beside as many that are.
        self._handshakes = Incoming(sys.maxsize, 2 * limits.connections) if door.identity else None
        interceptors = [Admission(self._errands, limits, self._incoming)]
        self._grpc = grpc.aio.server(interceptors=interceptors, options=[*OPTIONS, OWN_PORT, *options(limits)])
        self._asking, self._told, self._text = asyncio.Lock(), -math.inf, b""  # of metrics
        self._open = False
        self.grpc_port = self.http_port = 0

    @property
    def is_ready(self) -> bool:
        """Whether requests are answered."""
        return self._open and self._supervisor.is_ready and self._errands.is_connected

    async def run(self, started: Callable[["Service"], None], stop: asyncio.Event) -> None:
        """Serves until it is told to stop, then answers what is inside and ends everything.

        Args:
            started: called once, when the service is ready.
            stop: the end.

        Raises:
            LaunchError, UnsuitableEnvironmentError: it cannot start.
        """
        try:
            async with self._http():
                if not await self._start(stop):
                    return
                await self._open_door()
                started(self)
                works = [self._incoming.watch(self.grpc_port), self._follow()]
                works += [self._handshakes.watch(self.http_port)] if self._handshakes else []
                beside = [asyncio.create_task(work) for work in works]
                give_back(ended := threading.Event())
                await stop.wait()
                ended.set()
                for task in beside:
                    task.cancel()
                self._open = False
                await self._drain()
        finally:
            self._open = False
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSED_WITHIN):
                    await self._errands.close()
            await asyncio.to_thread(self._supervisor.stop)

    async def _drain(self) -> None:
        """Answers what is inside; connections that do not end hold the end up no longer than that takes."""
        ends = (self._grpc.stop(self._drain_within), self._inference.drain(self._drain_within))
        try:
            async with asyncio.timeout(self._drain_within + CLOSED_WITHIN):
                await asyncio.gather(*ends)
        except TimeoutError:
            logger.warning("connections are open still, %g s after the last answer was due", CLOSED_WITHIN)

    async def _start(self, stop: asyncio.Event) -> bool:
        """Starts Triton and sends it a first request; False where the end came first."""

        def start() -> None:
            self._supervisor.start()
            warm_up(self._triton.grpc_url, self._ready_within, self._triton.api.models())

        starting, stopping = asyncio.create_task(asyncio.to_thread(start)), asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stop.is_set():
            self._triton.give_up()
            await asyncio.wait({starting})
            starting.exception()  # whatever it is, it was the end's doing
            return False
        starting.result()
        return True

    async def _follow(self) -> None:
        """Lets changed files take effect."""
        while True:
            await asyncio.sleep(READ_AGAIN_WITHIN)
            if self._door.tokens and await asyncio.to_thread(self._door.tokens.look):
                self._doorman.replace_tokens(self._door.tokens.value)
            if self._door.identity:
                await asyncio.to_thread(self._door.identity.look)

    async def _open_door(self) -> None:
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
            Entry(self._errands, lambda: self.is_ready), self._grpc
        )
        health_pb2_grpc.add_HealthServicer_to_server(Health(lambda: self.is_ready), self._grpc)
        address = f"{self._door.host}:{self._door.grpc_port}"
        try:
            if self._door.identity:
                self.grpc_port = self._grpc.add_secure_port(address, grpc_credentials(self._door.identity))
            else:
                self.grpc_port = self._grpc.add_insecure_port(address)
        except RuntimeError:
            raise LaunchError(
                f"{address} cannot be listened on; choose another --grpc-port (make serve GRPC_PORT=N)"
            ) from None
        await self._grpc.start()
        self._open = True

    @asynccontextmanager
    async def _http(self) -> AsyncIterator[None]:
        """Health from the very beginning, so that whoever asks is told that it is not ready yet."""
        pages = [
            web.get("/v2/health/live", self._live),
            web.get("/v2/health/ready", self._ready),
            web.get("/metrics", self._metrics),
        ]
        runner = runner_of([*pages, *self._inference.routes()], self._limits, self._handshakes)
        await runner.setup()
        identity = self._door.identity
        try:
            try:
                tls = http_context(identity) if identity else None
                await Site(runner, self._door.host, self._door.http_port, ssl_context=tls).start()
            except OSError as error:
                address = f"{self._door.host}:{self._door.http_port}"
                raise LaunchError(
                    f"{address} cannot be listened on ({error.strerror}); choose another: --http-port N "
                    "(make serve HTTP_PORT=N)"
                ) from None
            self.http_port = runner.addresses[0][1]
            yield
        finally:
            await runner.cleanup()

    async def _live(self, request: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def _ready(self, request: web.Request) -> web.Response:
        return web.Response(text="ready\n") if self.is_ready else web.Response(text="not ready\n", status=503)

    async def _metrics(self, request: web.Request) -> web.Response:
        """Ours, and Triton's, among which are those of the scenes, while it answers."""
        asked = time.monotonic()
        async with self._asking:  # one at a time, for all who have asked before it
            if self._told < asked:
                self._told = time.monotonic()
                self._text = await self._all_metrics()
        return web.Response(body=self._text, content_type="text/plain", charset="utf-8")

    async def _all_metrics(self) -> bytes:
        text, metrics = self._measures.text(), str(self._triton.metrics_socket)
        try:
            async with (
                ClientSession(connector=UnixConnector(metrics), timeout=ClientTimeout(total=2)) as session,
                session.get("http://triton/metrics") as r,
            ):
                text += await r.read()
        except (ClientError, TimeoutError):
            pass
        return text

    def _on_loss(self, model: str) -> None:
        self._loop.call_soon_threadsafe(self._errands.abandon, model)
