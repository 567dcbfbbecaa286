"""What the entry counts, for Prometheus."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 300)
VIEWS = (1, 2, 4, 8, 16, 32, 64, 100)


class Measures:
    """One registry of them.

    Args:
        is_ready: whether the service is.
        inside: requests that are being served, by model.
        restarts: of lost processes so far, by model or "tritonserver".
    """

    def __init__(
        self,
        is_ready: Callable[[], bool],
        inside: Callable[[], Mapping[str, int]],
        restarts: Mapping[str, int],
    ) -> None:
        self._is_ready, self._inside, self._restarts = is_ready, inside, restarts
        self._registry = CollectorRegistry()
        self._registry.register(self)
        named: Any = {"namespace": "mvsam", "registry": self._registry}
        answered: Any = {"labelnames": ["model", "action"], "buckets": SECONDS, **named}
        self.requests = Counter("requests", "Requests that came to an end", ["model", "action", "status"], **named)
        self.seconds = Histogram("request_seconds", "Until the whole answer", **answered)
        self.first = Histogram("first_response_seconds", "Until the first part of the answer", **answered)
        self.views = Histogram("request_views", "Photographs in a request", ["model"], buckets=VIEWS, **named)
        self.rejections = Counter("rejections", "Requests that were refused or failed", ["reason"], **named)
        self.replaced = Counter("replaced_messages", "Errors that named internals and were replaced", **named)

    def collect(self) -> Iterator[Metric]:
        """What others know, as Prometheus' library asks for it."""
        yield GaugeMetricFamily("mvsam_ready", "Whether every model answers", value=float(self._is_ready()))
        inside = GaugeMetricFamily("mvsam_requests_inside", "Requests that are being served", labels=["model"])
        for model, count in self._inside().items():
            inside.add_metric([model], count)
        restarts = CounterMetricFamily("mvsam_restarts", "Lost processes that were started again", labels=["process"])
        for process, count in list(self._restarts.items()):
            restarts.add_metric([process], count)
        yield from (inside, restarts)

    def text(self) -> bytes:
        """In Prometheus' format."""
        return generate_latest(self._registry)
