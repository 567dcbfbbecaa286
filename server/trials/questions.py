"""Questions about the service itself, over gRPC and HTTP, ten a second, while something happens to it.

That is more than monitors and load balancers ask, each of which does so once in seconds.
"""

import random
import re
import threading
import time
from collections import Counter
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from server.trials.figures import Trial
from server.trials.running import Served

messages: Any = service_pb2
DEADLINE = 30.0
PAUSE = 0.1  # seconds between two questions
NAMES = ["", "mvsam", "mvsam_pointmap", "mvsam_scene", "pi3", "postprocess", "../mvsam", "x" * 1000, "é"]
VERSIONS = ["", "", "1", "2", "x", "../1"]
OF_MODELS = ["ModelMetadata", "ModelConfig", "ModelStatistics", "ModelReady"]
OTHERS = ["ServerMetadata", "ServerReady", "ServerLive"]
CONTROL = ["RepositoryIndex", "SystemSharedMemoryStatus", "CudaSharedMemoryStatus", "TraceSetting", "LogSettings"]
PAGES = ["v2", "v2/health/ready", "v2/models/mvsam", "v2/models/pi3", "v2/models/mvsam/ready", "v2/repository/index"]
EXPECTED = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "UNAVAILABLE", "UNIMPLEMENTED", "200", "404", "503"}

# What an answer may not hold, written apart from the service's own filter, which it judges.
INTERNALS = re.compile(
    r"traceback|line \d+, in |\.py\b|\.pbtxt|\.onnx|site-packages|/(?:usr|home|root|tmp|etc|opt|dev|work|proc|var|mnt)/"
    r"|[A-Z]:\\|0x[0-9a-f]{8}|\bBearer\b|PRIVATE KEY|std::|pybind|<class '"
    r"|ipv[46]:|unix:|localhost|127\.0\.0\.1|::1\]",
    re.IGNORECASE,
)


def random_question(rng: random.Random) -> tuple[str, Any]:
    """A method of KServe v2 and its message."""
    method = rng.choice([*OF_MODELS, *OF_MODELS, *OTHERS, *CONTROL])
    message = getattr(messages, f"{method}Request")()
    if method in OF_MODELS:
        message.name, message.version = rng.choice(NAMES), rng.choice(VERSIONS)
    return method, message


def is_leak(text: str) -> bool:
    """Whether a text that a client got names anything of our insides."""
    return bool(INTERNALS.search(text))


class Questioner:
    """One who asks, in a thread of its own, from the beginning on.

    Args:
        service: to be asked.
        seed: of the questions.
    """

    def __init__(self, service: Served, seed: int = 0) -> None:
        self._service, self._rng = service, random.Random(seed)
        self._ended = threading.Event()
        self._statuses: Counter[str] = Counter()
        self._leaks: list[str] = []
        self._slowest = 0.0
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def close(self, when: str, trial: Trial) -> None:
        """Ends it, and judges the answers."""
        self._ended.set()
        self._thread.join()
        trial.figures[f"questions about the service, {when}"] = dict(self._statuses)
        trial.expect(
            f"questions about the service, {when}: answered, or refused in words that name no path and no address",
            f"{dict(self._statuses)}, {len(self._leaks)} leaks {self._leaks[:1] or ''}, "
            f"the slowest after {self._slowest:.1f} s",
            not self._leaks and set(self._statuses) <= EXPECTED and "OK" in self._statuses,
        )

    def _ask(self) -> None:
        with grpc.insecure_channel(self._service.grpc_url, options=[("grpc.enable_http_proxy", 0)]) as channel:
            stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            while not self._ended.wait(PAUSE):
                began = time.monotonic()
                status, text = _of_grpc(stub, self._rng) if self._rng.random() < 0.7 else self._of_http()
                self._slowest = max(self._slowest, time.monotonic() - began)
                self._statuses[status] += 1
                if is_leak(text):
                    self._leaks.append(text[:200])

    def _of_http(self) -> tuple[str, str]:
        try:
            status, text = self._service.get(self._rng.choice(PAGES))
            return str(status), text
        except OSError as error:
            return type(error).__name__, ""


def _of_grpc(stub: Any, rng: random.Random) -> tuple[str, str]:
    method, message = random_question(rng)
    try:
        return "OK", str(getattr(stub, method)(message, timeout=DEADLINE))
    except grpc.RpcError as error:
        failed: Any = error
        return failed.code().name, failed.details() or ""
