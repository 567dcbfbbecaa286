"""Where to decode: in the process that keeps the scenes, or in the decoder's own, called through Triton (BLS)."""

import statistics
import time
from pathlib import Path

from mvsam_client import Click, Client, Scene
from server.trials.figures import Trial, milliseconds
from server.trials.latency import photographs
from server.trials.running import served
from server.trials.variants import variant

VIEWS = 20
ROUNDS = 30
THROUGH_TRITON = """

OUTPUTS = {"point_embedder": ("point_embedding", "point_position"), "mask_decoder": ("mask_logits",)}


def load(runtime, folder, threads=None):
    return TritonSession(folder.parent.name, OUTPUTS[folder.parent.name])
"""


def run(repository: Path, scratch: Path, trial: Trial) -> None:
    """The same clicks on the same scene, by turns."""
    files = photographs(VIEWS)
    other = variant(repository, scratch / "through_triton", "mvsam_scene", code=THROUGH_TRITON)
    with (
        served(repository, scratch / "triton.log") as here,
        served(other, other / "triton.log") as there,
        Client(here.grpc_url, retries=0, reencode=False) as one,
        Client(there.grpc_url, retries=0, reencode=False) as two,
    ):
        scenes = {"in the scene's process": one.encode(files), "through Triton": two.encode(files)}
        times: dict[str, list[float]] = {name: [] for name in scenes}
        for _ in range(ROUNDS):
            for name, scene in scenes.items():
                times[name].append(_seconds(scene))
    middle = {name: 1000 * statistics.median(values) for name, values in times.items()}
    trial.figures["where to decode, ms"] = {name: milliseconds(values) for name, values in times.items()}
    ours, theirs = middle.values()
    trial.expect(
        f"decoding in the scene's process, as it is served, is the faster way, {VIEWS} views, median",
        f"{ours:.1f} ms, through Triton {theirs:.1f} ms",
        ours <= theirs,
    )


def _seconds(scene: Scene) -> float:
    began = time.perf_counter()
    scene.segment(points=[Click(3, 240, 180)])
    return time.perf_counter() - began
