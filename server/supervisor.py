"""Keeps an embedded server answering, and says truthfully whether it is.

Triton goes on calling a model ready whose process has died. So the processes are watched from outside, every 100 ms,
and asked for a sign of life every 2 s: a dead model is loaded anew, a hung one killed first, a dead server started
anew.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from mvsam.runtime.probe import PROBE
from server.launcher import LaunchError, TritonServer
from server.signatures import datatype_of
from server.stubs import Stub, stubs_of
from server.triton_api import TritonError

logger = logging.getLogger(__name__)
messages: Any = service_pb2

INTERVAL = 0.1
PROBE_EVERY = 2.0
# Overdue with an answer for so long and without any computation meanwhile, a process hangs.
HANGS_AFTER = 4.0
IDLE = 0.02  # seconds of computation that waiting alone may take
END_WITHIN = 2.0  # seconds that a model being loaded anew can delay the end
UNLOAD_WITHIN = 2.5  # seconds: Triton takes less than one, unless it waits for an answer that never comes
LOAD_WITHIN = 20.0  # seconds


class Supervisor:
    """Watches one server from a thread of its own.

    Args:
        server: not yet started.
        on_loss: told the name of a model whose process was lost, so that nobody waits for its answers.
    """

    def __init__(self, server: TritonServer, on_loss: Callable[[str], None] = lambda model: None) -> None:
        self._server, self._on_loss = server, on_loss
        self._probes = _Probes(server)
        self._watched: dict[str, _Watched] = {}
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self.restarts: dict[str, int] = {}  # by model; "tritonserver" for the server itself

    @property
    def is_ready(self) -> bool:
        """Whether every model answers, as far as anybody can know."""
        return self._ready.is_set() and not self._stopping.is_set()

    def start(self) -> None:
        """Starts the server and begins to watch it.

        Raises:
            UnsuitableEnvironmentError, LaunchError: as for `TritonServer.start`.
        """
        self._server.start()
        self._find_stubs()
        self._ready.set()
        self._thread.start()

    def stop(self) -> None:
        """Stops watching and ends the server, once its requests in flight are answered."""
        self._stopping.set()
        self._server.give_up()  # if it is being started anew just now
        if self._thread.is_alive():
            self._thread.join(END_WITHIN)
        self._probes.close()
        self._server.stop()

    def _watch(self) -> None:
        while not self._stopping.wait(INTERVAL):
            try:
                self._look()
            except LaunchError as error:
                logger.error("%s; trying again", error)
                self._stopping.wait(1)
            except Exception:
                logger.exception("the supervisor failed; it goes on")

    def _look(self) -> None:
        if self._server.has_exited():
            self._restart_server("it ended by itself")
            return
        lost = [model for model, watched in self._watched.items() if watched.is_lost()]
        if lost:
            self._ready.clear()
            for model in lost:
                self._on_loss(model)
            if all(self._reload(model) for model in lost):
                self._find_stubs()
                self._ready.set()
            else:
                self._restart_server("a model could not be loaded again")

    def _reload(self, model: str) -> bool:
        """Gives a model a new process, if Triton can."""
        started = time.monotonic()
        self._watched[model].stub.kill()
        try:
            self._server.api.reload(model, unload_within=UNLOAD_WITHIN, load_within=LOAD_WITHIN)
        except TritonError as error:
            logger.error("%s", error)
            return False
        self._count(model)
        logger.warning("%s: process lost; loaded again in %.1f s", model, time.monotonic() - started)
        return True

    def _restart_server(self, reason: str) -> None:
        self._ready.clear()
        if self._stopping.is_set():
            return
        started = time.monotonic()
        for model in self._watched:
            self._on_loss(model)
        self._server.destroy()
        self._server.start()
        self._probes.close()
        self._probes = _Probes(self._server)
        self._count("tritonserver")
        self._find_stubs()
        self._ready.set()
        logger.warning("tritonserver: %s; started again in %.1f s", reason, time.monotonic() - started)

    def _find_stubs(self) -> None:
        pid = self._server.pid
        found = stubs_of(pid) if pid is not None else []
        kept = {each.stub: each for each in self._watched.values()}
        self._watched = {stub.model: kept.get(stub) or _Watched(stub, self._probes) for stub in found}

    def _count(self, name: str) -> None:
        self.restarts[name] = self.restarts.get(name, 0) + 1


class _Watched:
    """One stub and the request that asks it for a sign of life."""

    def __init__(self, stub: Stub, probes: "_Probes") -> None:
        self.stub = stub
        self._probes = probes
        self._answer: Any = None  # a future while one is on its way
        self._asked = time.monotonic()
        self._still: float | None = None  # since when it has neither answered nor computed, if it should have
        self._computed = 0.0

    def is_lost(self) -> bool:
        """Whether the process has gone, or hangs."""
        if not self.stub.is_alive():
            return True
        now = time.monotonic()
        if self._answer is not None and self._answer.done():
            if self._answer.code() is grpc.StatusCode.OK:  # errors may be Triton's, which has given it up
                self._still = None
            self._answer = None
        if self._answer is None and now - self._asked >= PROBE_EVERY:
            self._asked, self._answer = now, self._probes.ask(self.stub.model)
            if self._still is None:
                self._still, self._computed = now, self.stub.seconds()
        if self._still is None:
            return False
        computed = self.stub.seconds()
        if computed - self._computed > IDLE:
            self._still, self._computed = now, computed  # busy, and so not hung
        return now - self._still >= HANGS_AFTER


class _Probes:
    """Requests that every Python model answers without computing anything."""

    def __init__(self, server: TritonServer) -> None:
        self._server = server
        self._channel = grpc.insecure_channel(server.grpc_url, options=[("grpc.enable_http_proxy", 0)])
        self._stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._configs: dict[str, Any] = {}

    def ask(self, model: str) -> Any:
        """A future of the answer."""
        if model not in self._configs:
            self._configs[model] = self._server.api.config(model)
        config = self._configs[model]
        request = messages.ModelInferRequest(model_name=model, id=PROBE)
        for tensor in config.input:
            if not tensor.optional:
                shape = [max(0, side) for side in tensor.dims]
                request.inputs.add(name=tensor.name, datatype=datatype_of(tensor), shape=shape)
                # An empty string is written as its length, four bytes.
                request.raw_input_contents.append(bytes(4 * math.prod(shape)))
        if config.model_transaction_policy.decoupled:
            return self._stub.ModelStreamInfer(iter([request]))
        return self._stub.ModelInfer.future(request)

    def close(self) -> None:
        self._channel.close()
