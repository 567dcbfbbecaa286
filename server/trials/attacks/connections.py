"""Connections and streams that are opened and left so."""

import contextlib
import functools
import resource
import socket
import time
from typing import Any

from tritonclient.grpc import service_pb2, service_pb2_grpc

from server.stubs import stubs_of
from server.trials.attacks.http2 import SERVICE, Connection, Ended
from server.trials.attacks.target import Attack, Outcome, Target, status_of
from server.trials.load import together

messages: Any = service_pb2

IDLE = 1500  # connections to each port
PORT_LIMIT = 1024
HANDSHAKE = 12.0  # seconds after which a connection must have become one of HTTP/2
STREAM_CONNECTIONS, STREAMS = 40, 128  # of each
TOKEN_CALLS = 256
HELD = 6.0  # seconds
GREETED_WITHIN = 5.0
THREADS = 8
WATCH = "/grpc.health.v1.Health/Watch"  # which needs no token
DESCRIPTORS = 600  # of a service that has few


def idle_connections(target: Target) -> Outcome:
    """Opens more connections to each port than it takes and says nothing; meanwhile somebody new comes."""
    raise_own_limit()
    newcomers = {"gRPC": lambda: _greeted(target), "HTTP": lambda: target.http("/v2/health/ready", None, {})[0]}
    found, holds = [], True
    for port, address in (("gRPC", target.service.grpc_url), ("HTTP", target.service.http_url)):
        opened = _opened(address, IDLE)
        try:
            early = newcomers[port]()
            time.sleep(HANDSHAKE if port == "gRPC" else HELD)
            left = sum(map(_is_open, opened))
            greeted = newcomers[port]()
        finally:
            for each in opened:
                each.close()
        seconds = HANDSHAKE if port == "gRPC" else HELD
        found.append(
            f"{port}: {left} of {len(opened)} open after {seconds:g} s, a newcomer is told {early} and {greeted}"
        )
        holds &= left <= (0 if port == "gRPC" else PORT_LIMIT) and {early, greeted} <= {"OK", "200"}
    return Outcome("; ".join(found), holds)


def open_streams(target: Target, owner: str | None, most: int, path: str = SERVICE + "ModelStreamInfer") -> Outcome:
    """Opens thousands of streams and asks nothing on them."""
    raise_own_limit()
    token = target.tokens[owner] if owner else None
    connections: list[Connection] = []
    asked = left = 0

    def work(number: int) -> None:
        nonlocal asked, left
        for _ in range(STREAM_CONNECTIONS // THREADS):
            with contextlib.suppress(OSError, Ended):
                connection = Connection(target.service.grpc_url)
                connections.append(connection)
                for _ in range(STREAMS):
                    call = connection.call(path, token)
                    if path == WATCH:
                        connection.message(call, b"")
                    asked += 1

    try:
        together(THREADS, work)
        until = time.monotonic() + HELD
        for connection in connections:
            with contextlib.suppress(Ended):
                connection.read_until(until)
                left += connection.calls - len(connection.statuses)
    finally:
        for connection in connections:
            connection.close()
    return Outcome(f"{left} of {asked} streams were open after {HELD:g} s", left <= most)


def few_descriptors(target: Target) -> Outcome:
    """Opens connections until the service has no more descriptors for them, then kills one of its models' processes."""
    raise_own_limit()
    opened = [*_opened(target.service.grpc_url, IDLE), *_opened(target.service.http_url, IDLE)]
    try:
        before = sum(map(_is_open, opened))
        stubs = stubs_of(target.service.triton().pid)
        lost = next(stub for stub in stubs if stub.model == "postprocess")
        lost.kill()
        began, seconds = time.monotonic(), None
        while time.monotonic() < began + HANDSHAKE and seconds is None:
            time.sleep(0.1)
            models = {stub.model: stub.process.pid for stub in stubs_of(target.service.triton().pid)}
            if models.get("postprocess", lost.process.pid) != lost.process.pid:
                seconds = time.monotonic() - began
    finally:
        for each in opened:
            each.close()
    end = "never replaced" if seconds is None else f"replaced after {seconds:.1f} s"
    return Outcome(f"{before} connections were held; a model's process that was killed was {end}", seconds is not None)


def raise_own_limit() -> None:
    """Lets this process have as many descriptors as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 2**16 if hard == resource.RLIM_INFINITY else min(hard, 2**16)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _opened(url: str, count: int) -> list[socket.socket]:
    host, _, port = url.rpartition(":")
    opened: list[socket.socket] = []
    with contextlib.suppress(OSError):
        for _ in range(count):
            opened.append(socket.create_connection((host, int(port)), timeout=2))
    return opened


def _greeted(target: Target) -> str:
    """How a first call of a new connection ends."""
    with target.channel() as channel:
        stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        return status_of(
            lambda: stub.ServerReady(messages.ServerReadyRequest(), timeout=GREETED_WITHIN, wait_for_ready=True)
        )


def _is_open(connection: socket.socket) -> bool:
    """Whether the server has not ended it."""
    connection.setblocking(False)
    try:
        while data := connection.recv(2**16):
            del data
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


ATTACKS = [
    Attack(
        f"{IDLE} connections to each port on which nothing is said: {PORT_LIMIT} at most are kept, over gRPC for "
        "10 s, and newcomers are answered",
        idle_connections,
    ),
    Attack(
        f"{STREAM_CONNECTIONS * STREAMS} streams without a token: none stays open",
        functools.partial(open_streams, owner=None, most=0),
    ),
    Attack(
        f"{STREAM_CONNECTIONS * STREAMS} streams without a token that wait for news of health: {TOKEN_CALLS} at most "
        "stay open",
        functools.partial(open_streams, owner=None, most=TOKEN_CALLS, path=WATCH),
    ),
    Attack(
        f"{STREAM_CONNECTIONS * STREAMS} streams with a token: {TOKEN_CALLS} at most stay open",
        functools.partial(open_streams, owner="attacker", most=TOKEN_CALLS),
    ),
]
WITH_FEW_DESCRIPTORS = Attack(
    f"{IDLE} connections to each port of a service that may have {DESCRIPTORS} descriptors: it stays supervised",
    few_descriptors,
    outage=True,
)
