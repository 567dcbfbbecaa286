"""A click on a scene of 20 views, beside one stateless request and beside the bare decoder in one process."""

import io
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from export.repository import MASKS_AT_ONCE
from mvsam.cores import available_cores
from mvsam.pipeline.checks import check_request
from mvsam.pipeline.encodings import MaskEncoding
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.postprocessing import postprocess
from mvsam.pipeline.request import Prompts
from mvsam.runtime.artifacts import read_manifest
from mvsam.runtime.onnx import OnnxSession
from mvsam.scenes.decoding import Click as AskedClick
from mvsam.scenes.decoding import Decoder
from mvsam.scenes.encoding import SceneEncoder
from mvsam.synthetic.scene import make_scene
from mvsam_client import Click, Client
from mvsam_client.connection import Connection
from mvsam_client.prompts import prompt_tensors
from server.trials.figures import Trial, milliseconds

VIEWS = 20
SEED = 7
ROUNDS = 40
VIEW = 3  # the one that is clicked on


def photographs(views: int, seed: int = SEED, height: int = 360, width: int = 480) -> list[bytes]:
    """JPEG files of a procedural scene."""
    files = []
    for image in make_scene(seed, views=views, height=height, width=width).images:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=95)
        files.append(buffer.getvalue())
    return files


class BareDecoder:
    """The same click in one process: one call of the decoder over all views, then the masks, one after the other."""

    def __init__(self, repository: Path, files: list[bytes]) -> None:
        constants = read_manifest(repository / "mask_decoder" / "1")["constants"]
        networks = ("pi3", "sam2_encoder", "point_embedder", "mask_decoder")
        *graphs, self._decoder = (OnnxSession(repository / name / "1") for name in networks)
        encoder = SceneEncoder(
            *graphs,
            encoder_side=constants["encoder_side"],
            geometry_pixels=constants["geometry_pixels"],
            chunk=8,
        )
        sizes = [header.size for header in check_request(files, None, Limits())]
        self._scene = encoder.encode(files, sizes)
        one = OnnxSession(repository / "mask_decoder" / "1", threads=1)
        cores = available_cores()
        self._threads = Decoder(
            one, threads=cores, most_masks=MASKS_AT_ONCE, most_objects=1, most_waiting=1, patience=60
        )

    def click(self, x: float, y: float) -> None:
        """Prompts to encoded masks."""
        prompts = Prompts.of([[[x, y]]], [[1]], [[VIEW]])
        placed = self._scene.normalized.lift(prompts)
        features = {name: np.asarray(rows) for name, rows in self._scene.features.items()}
        logits = self._decoder.run(features | vars(placed))["mask_logits"]
        postprocess(logits, self._scene.layout.image_sizes, prompts, MaskEncoding.RLE)

    def click_in_threads(self, x: float, y: float) -> None:
        """The same in the layout of the service: a thread on every core, some views at a time."""
        prompts, done = Prompts.of([[[x, y]]], [[1]], [[VIEW]]), threading.Event()
        sizes = self._scene.layout.image_sizes

        def deliver(views: slice, objects: slice, logits: np.ndarray) -> None:
            postprocess(logits, sizes[views], prompts.in_views(views), MaskEncoding.RLE)

        placed = self._scene.normalized.lift(prompts)
        click = AskedClick(self._scene, placed, {VIEW}, deliver, lambda error: done.set(), lambda: False)
        self._threads.submit(click)
        done.wait()


def run(repository: Path, url: str, trial: Trial) -> None:
    """Measures by turns, so that whatever else the machine does falls on all alike."""
    files = photographs(VIEWS)
    bare = BareDecoder(repository, files)
    x, y = 240.0, 180.0
    connection = Connection(url)
    with Client(url, retries=0, reencode=False) as client, client.encode(files) as scene:
        tensors = prompt_tensors([Click(view=VIEW, x=x, y=y)])
        tensors |= {
            name: np.array([text.encode()], object) for name, text in (("ACTION", "segment"), ("SCENE", scene.id))
        }
        outputs = ("VIEW", "MASKS", "SCORES", "AREAS", "ANSWER")
        times: dict[str, list[float]] = {name: [] for name in ("click", "first mask", "one-shot", "bare", "in threads")}
        size, areas = 0, 0
        for _ in range(ROUNDS):
            started, parts = time.perf_counter(), []
            for part in connection.stream("mvsam_scene", tensors, outputs, timeout=60):
                if not parts:
                    times["first mask"].append(time.perf_counter() - started)
                    assert part["VIEW"].tolist() == [VIEW], "the prompted view comes first"
                parts.append(part)
            times["click"].append(time.perf_counter() - started)
            size = sum(serialized_bytes(array) for part in parts for array in part.values())
            areas = sum(int((part["AREAS"] > 0).sum()) for part in parts)
            times["bare"].append(_seconds(lambda: bare.click(x, y)))
            times["in threads"].append(_seconds(lambda: bare.click_in_threads(x, y)))
            if len(times["one-shot"]) < 10:
                times["one-shot"].append(_seconds(lambda: client.segment(files, points=[Click(view=VIEW, x=x, y=y)])))
    connection.close()
    middle = {name: 1000 * statistics.median(values) for name, values in times.items()}
    trial.figures["latency, ms"] = {name: milliseconds(values) for name, values in times.items()}
    ratio = middle["one-shot"] / middle["click"]
    trial.expect(
        "a click at least 10 times as fast as the one-shot ensemble, 20 views, median",
        f"{ratio:.1f} times",
        ratio >= 10,
    )
    more, beyond = middle["click"] - middle["bare"], middle["click"] - middle["in threads"]
    trial.expect(
        "server overhead over one call of the decoder and postprocessing at most 15 % or 3 ms",
        f"{middle['click']:.1f} ms against {middle['bare']:.1f} ms: {more:+.1f} ms, {more / middle['bare']:+.0%}; "
        f"against the service's own layout in one process {beyond:+.1f} ms, {beyond / middle['in threads']:+.0%}",
        more <= max(3.0, 0.15 * middle["bare"]),
    )
    trial.expect(
        f"{VIEWS} RLE masks, with all that comes with them, at most 100 KB",
        f"{size / 1000:.1f} KB, {areas} masks not empty",
        size <= 100_000 and areas >= VIEWS // 2,
    )
    share = middle["first mask"] / middle["click"]
    trial.expect(
        "first mask within 1/4 of the time of all 20", f"{middle['first mask']:.1f} ms: {share:.2f}", share <= 0.25
    )


def serialized_bytes(array: np.ndarray) -> int:
    """As it travels."""
    return sum(4 + len(each) for each in array.flat) if array.dtype == object else array.nbytes


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
