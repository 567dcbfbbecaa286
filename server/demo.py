"""`make demo`: a procedural scene and a few clicks through a real server, pictures of the answer, and its figures.

The scene is segmented twice: with the geometry that the network sees in the photographs, and with the scene's exact
pointmaps. Masks are compared with the exact ones, view by view.
"""

import argparse
import json
import logging
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from PIL import Image
from scipy.ndimage import distance_transform_edt

from mvsam.evaluation.sheets import iou, sheet
from mvsam.networks.presets import NETWORKS
from mvsam.runtime.artifacts import read_manifest, write_json
from mvsam.synthetic.scene import Scene, make_scene
from mvsam_client import Click, Client, Geometry, Segmentation, outputs
from server.launcher import TritonServer
from server.warmup import warm_up

logger = logging.getLogger(__name__)

SEED = 8
FOLDERS = ("own_geometry", "exact_geometry", "exact_masks")  # of the output, made anew
SETTLES = 0.05  # seconds in which Triton has counted what it has answered


def clicks_on(scene: Scene, index: int) -> list[Click]:
    """Two clicks on an object, one in each of the first two views, and one beside it: what a person would do."""
    clicks = []
    for view in (0, 1):
        x, y = deepest(scene.mask(index)[view])
        clicks.append(Click(view=view, x=x, y=y))
    other = max(set(np.unique(scene.objects[0])) - {-1, index}, key=lambda o: int((scene.objects[0] == o).sum()))
    x, y = deepest(scene.mask(int(other))[0])
    return [*clicks, Click(view=0, x=x, y=y, positive=False)]


def deepest(mask: np.ndarray) -> tuple[int, int]:
    """Column and row of the pixel farthest from a mask's border."""
    depth = np.asarray(distance_transform_edt(np.pad(mask, 1)))[1:-1, 1:-1]
    row, column = np.unravel_index(np.argmax(depth), mask.shape)
    return int(column), int(row)


def summarise(result: Segmentation, exact: np.ndarray, stages: dict[str, float], seconds: float) -> dict[str, Any]:
    """Figures of one answer."""
    ious = [iou(found, truth) for found, truth in zip(result.masks[0], exact, strict=True)]
    known = [iou for iou in ious if iou is not None]
    return {
        "iou_per_view": ious,
        "mean_iou": sum(known) / len(known),
        "request_seconds": round(seconds, 3),
        "stage_seconds": stages,
    }


class StageClock:
    """What Triton says each model has computed for, since last asked."""

    def __init__(self, url: str) -> None:
        self._client: Any = triton.InferenceServerClient(url, channel_args=[("grpc.enable_http_proxy", 0)])
        self._before = self._totals()

    def lap(self) -> dict[str, float]:
        """Seconds of computation by model, once Triton counts no more: it answers a moment before it does."""
        now, before = self._totals(), self._before
        while (later := self._totals_in(SETTLES)) != now:
            now = later
        self._before = now
        return {
            name: round((now[name] - before.get(name, 0)) / 1e9, 4) for name in now if now[name] > before.get(name, 0)
        }

    def _totals_in(self, seconds: float) -> dict[str, int]:
        time.sleep(seconds)
        return self._totals()

    def _totals(self) -> dict[str, int]:
        statistics = self._client.get_inference_statistics(as_json=True)["model_stats"]
        return {model["name"]: int(model["inference_stats"]["compute_infer"].get("ns", 0)) for model in statistics}


def run(repository: Path, output: Path) -> dict[str, Any]:
    """Serves, segments, writes pictures and summary.json; returns the summary."""
    scene = make_scene(SEED)
    index = int(np.argmax([scene.mask(i).sum() for i in range(scene.objects.max() + 1)]))
    clicks = clicks_on(scene, index)
    names = [f"view_{view}.png" for view in range(len(scene.images))]
    images = list(scene.images)
    weights = {name: read_manifest(repository / name / "1")["weights"] for name in NETWORKS}
    summary: dict[str, Any] = {
        "weights": weights,
        "trained": all(known["trained"] for known in weights.values()),
        "views": len(images),
        "prompts": [vars(click) for click in clicks],
    }
    found: dict[str, np.ndarray] = {}
    for name in FOLDERS:
        shutil.rmtree(output / name, ignore_errors=True)
    with TritonServer(repository, log=Path("build/log/demo.log")) as server:
        warm_up(server.grpc_url, timeout=300)
        with Client(server.grpc_url) as client:
            summary["server"] = client.server._asdict()
            logger.info("serving %s with %s %s", repository, *client.server)
            clock = StageClock(server.grpc_url)
            exact = Geometry(scene.points, np.ones(scene.points.shape[:3], np.float32))
            for name, geometry in (("own_geometry", None), ("exact_geometry", exact)):
                started = time.monotonic()
                wanted = outputs.CLOUD_OUTPUTS if geometry is None else ()
                result = client.segment(images, points=clicks, geometry=geometry, outputs=wanted)
                seconds = time.monotonic() - started
                random = " of random weights" if geometry is None and not weights["pi3"]["trained"] else ""
                found[f"found with {name.replace('_', ' ')}{random}"] = np.stack(result.masks[0])
                summary[name] = summarise(result, scene.mask(index), clock.lap(), seconds)
                saved = outputs.save(output / name, result, images, names, points=clicks)
                logger.info(
                    "%s: mean IoU %.2f, %.2f s, %s",
                    name.replace("_", " "), summary[name]["mean_iou"], seconds, saved.contact_sheet,
                )  # fmt: skip
    for view, mask in enumerate(scene.mask(index)):
        folder = output / "exact_masks"
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(folder / f"view_{view}.png")
    rows = {title: dict(enumerate(masks)) for title, masks in reversed(found.items())}
    picture = sheet(dict(enumerate(images)), clicks, dict(enumerate(scene.mask(index))), rows)
    picture.save(output / "contact_sheet.png")
    write_json(output / "summary.json", summary)
    return summary


def main() -> int:
    """Runs the demonstration and says where to look."""
    parser = argparse.ArgumentParser(prog="make demo", description=main.__doc__)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("out/demo"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    summary = run(arguments.repository, arguments.output)
    print(json.dumps({key: summary[key] for key in ("trained", "own_geometry", "exact_geometry")}, indent=2))
    random = [name for name, known in summary["weights"].items() if not known["trained"]]
    if random:
        print(
            f"RANDOM weights: {', '.join(random)}. What depends on them shows that every part runs, and means nothing."
        )
    print(f"Look at {arguments.output}/contact_sheet.png and {arguments.output}/summary.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
