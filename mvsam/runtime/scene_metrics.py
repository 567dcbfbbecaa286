"""What the scene cache holds and how often it helped, among Triton's own metrics.

Imported inside Triton's stub only, which alone provides `triton_python_backend_utils`.
"""

import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import triton_python_backend_utils as pb_utils  # pyright: ignore[reportMissingImports]

from mvsam.scenes.cache import SceneCache
from mvsam.scenes.decoding import Decoder

EVERY = 1.0  # seconds
COUNTED = {
    "hits": "Requests to scenes that were there",
    "misses": "Requests to scenes that were not, or not any more",
    "evictions": "Scenes forgotten for want of room",
    "expirations": "Scenes forgotten because nobody used them",
}


class SceneMetrics:
    """Tells Triton once a second, from a thread of its own; forgets scenes that have expired on the way."""

    def __init__(self, cache: SceneCache, decoder: Decoder) -> None:
        self._cache = cache
        self._gauges: list[tuple[Any, Callable[[], int]]] = [
            (_metric("mvsam_scenes", "Scenes held", pb_utils.MetricFamily.GAUGE), lambda: len(cache)),
            (
                _metric("mvsam_scene_bytes", "Memory of the scenes held", pb_utils.MetricFamily.GAUGE),
                lambda: cache.bytes,
            ),
            (_metric("mvsam_clicks_waiting", "Clicks in line", pb_utils.MetricFamily.GAUGE), lambda: decoder.waiting),
        ]
        self._counters = {
            name: _metric(f"mvsam_scene_{name}_total", text, pb_utils.MetricFamily.COUNTER)
            for name, text in COUNTED.items()
        }
        self._told = dict.fromkeys(COUNTED, 0)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._ended.set()
        self._thread.join()

    def _tell(self) -> None:
        while not self._ended.wait(EVERY):
            self._cache.sweep()
            for (_, metric), value in self._gauges:
                metric.set(value())
            for name, count in asdict(self._cache.counts).items():
                self._counters[name][1].increment(count - self._told[name])
                self._told[name] = count


def _metric(name: str, text: str, kind: Any) -> tuple[Any, Any]:
    """A family, which must outlive its metric, and its only metric."""
    family = pb_utils.MetricFamily(name=name, description=text, kind=kind)
    return family, family.Metric(labels={})
