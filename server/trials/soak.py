"""Thousands of clicks through a cache that is too small for their scenes: memory must not grow."""

import random
import time
from pathlib import Path

from mvsam_client import Click, Client
from server.trials.figures import Trial
from server.trials.latency import photographs
from server.trials.running import Served, served, shared_memory
from server.trials.variants import variant

MODEL = "mvsam_scene"
CACHE = 10
GROWTH = 20  # MB in the second half
LEAK = 100_000  # bytes a request, of the model that leaks on purpose
LEAKY = f"""

_KEPT = []
_execute = TritonPythonModel.execute


def _leaking(self, requests):
    _KEPT.extend(bytearray(b"x" * {LEAK}) for _ in requests)
    return _execute(self, requests)


TritonPythonModel.execute = _leaking
"""
SIZES = [(views, height) for views in (2, 3, 4) for height in (180, 240)]
TOLD_WITHIN = 2.0  # seconds until the metrics know what has happened


def run(repository: Path, scratch: Path, clicks: int, scenes: int, trial: Trial) -> None:
    """The service as it is, then with a model that leaks, which the same measure must catch."""
    small = {"max_scenes": CACHE}
    with served(variant(repository, scratch / "small_cache", MODEL, small), scratch / "soak_triton.log") as service:
        grown, shared, marks = growth(service, clicks, scenes)
        time.sleep(TOLD_WITHIN)
        evictions = service.metric("mvsam_scene_evictions_total")
    trial.figures["resident memory, MB, after each tenth"] = marks
    trial.expect(
        f"{clicks} clicks, {scenes} scenes through a cache of {CACHE}: the second half grows at most {GROWTH} MB",
        f"{grown:+.1f} MB; {evictions:g} evictions",
        grown <= GROWTH and evictions == scenes - CACHE,
    )
    trial.expect("/dev/shm as at half time", f"{shared:+d} bytes", shared == 0)
    leaky = variant(repository, scratch / "leaky", MODEL, small, LEAKY)
    with served(leaky, scratch / "leaky_triton.log") as service:
        grown, _, _ = growth(service, clicks // 3, scenes // 3)
    trial.expect(
        f"the same measure, a third as long, catches a model that leaks {LEAK // 1000} KB a request",
        f"{grown:+.1f} MB",
        grown > GROWTH,
    )


def growth(service: Served, clicks: int, scenes: int) -> tuple[float, int, list[float]]:
    """What the second half adds: MB of resident memory, bytes of shared memory; and the former after each tenth."""
    rng = random.Random(0)
    files = {
        (seed, *size): photographs(size[0], seed, size[1], size[1] * 4 // 3) for seed in range(5) for size in SIZES
    }
    kinds, marks, shared = list(files), [], []
    with Client(service.grpc_url, retries=0, reencode=False) as client:
        for number in range(1, scenes + 1):
            scene = client.encode(files[kinds[number % len(kinds)]])
            for _ in range(clicks // scenes):
                scene.segment(points=[Click(0, rng.uniform(0, 239), rng.uniform(0, 179))])
            if number * 10 % scenes < 10:
                marks.append(service.resident() / 1e6)
            if number in (scenes // 2, scenes):
                shared.append(sum(shared_memory(service.process.pid).values()))
    middle = len(marks) // 2 - 1
    return marks[-1] - marks[middle], shared[1] - shared[0], [round(mark, 1) for mark in marks]
