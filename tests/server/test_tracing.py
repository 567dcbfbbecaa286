"""Traces of requests, sent to whoever collects them."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest
from tritonclient.grpc import service_pb2_grpc

from server.trials.running import served
from tests.server.wire import good, request

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector(ThreadingHTTPServer):
    """Keeps what is posted, by path."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), Posted)

    def was_told_of(self, what: bytes, within: float) -> bool:
        """Whether that has come, waiting for it so many seconds."""
        deadline = time.monotonic() + within
        while not (told := any(what in body for _, body in self.posted)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return told


class Posted(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        self.server.posted.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        yield collector
        collector.shutdown()


def test_requests_are_traced_as_part_of_their_clients_trace(demo_repository: Path, tmp_path: Path, collector):
    url = f"http://127.0.0.1:{collector.server_address[1]}/v1/traces"
    options = [f"--trace-url={url}", "--trace-rate=1000000"]
    with (
        served(demo_repository, tmp_path / "triton.log", *options) as service,
        grpc.insecure_channel(service.grpc_url) as channel,
    ):
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        message = request("mvsam", good("mvsam"), ("MASKS",))
        for _ in range(6):  # Triton sends every 5 s, and now and then what it was to send is lost without a word
            stub.ModelInfer(message, metadata=[("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01")], timeout=60)
            if collector.was_told_of(b"mask_decoder", within=10):
                break
    paths, bodies = {path for path, _ in collector.posted}, b"".join(body for _, body in collector.posted)
    assert paths == {"/v1/traces"}
    assert b"mask_decoder" in bodies and b"service.name" in bodies
    assert TRACE.encode() in bodies or bytes.fromhex(TRACE) in bodies
