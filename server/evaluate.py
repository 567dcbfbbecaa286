"""`make evaluate-demo`: held-out synthetic scenes through the real server, compared with their exact masks."""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np

from mvsam.evaluation.questions import Answered, Prompting, ask, judge
from mvsam.networks.checkpoints import NETWORKS
from mvsam.runtime.artifacts import read_manifest, write_json
from mvsam.synthetic.scene import Scene, Split, sample_scene
from mvsam_client import Click, Client, Geometry
from server.launcher import TritonServer

logger = logging.getLogger(__name__)

FIRST_SEED = 200_000
VIEWS, SIDE = 8, 256


def evaluate(repository: Path, scenes: int) -> dict[str, Any]:
    """Asks about one object of each scene, in each way and with each geometry; figures with their spread."""
    weights = {name: read_manifest(repository / name / "1")["weights"] for name in NETWORKS}
    geometries = ["exact geometry"] + (["own geometry"] if weights["pi3"]["trained"] else [])
    answers: dict[str, list[Answered]] = {}
    with TritonServer(repository) as server, Client(server.grpc_url) as client:
        for seed in range(FIRST_SEED, FIRST_SEED + scenes):
            scene = sample_scene(seed, Split.TEST, views=VIEWS, height=SIDE, width=SIDE)
            for geometry in geometries:
                for prompting in Prompting:
                    answer = _answer(client, scene, geometry, prompting, np.random.default_rng(seed))
                    if answer is not None:
                        answers.setdefault(f"{geometry}, {prompting.name.lower()}", []).append(answer)
    return {"weights": weights, "figures": {name: figures(given) for name, given in answers.items()}}


def _answer(
    client: Client, scene: Scene, geometry: str, prompting: Prompting, rng: np.random.Generator
) -> Answered | None:
    question = ask(scene, prompting, rng)
    if question is None:
        return None
    clicks = [
        Click(view=int(v), x=int(x), y=int(y), positive=bool(p))
        for v, y, x, p in zip(question.views, question.rows, question.columns, question.positive, strict=True)
    ]
    exact = Geometry(scene.points, np.ones(scene.points.shape[:3], np.float32), scene.valid)
    result = client.segment(list(scene.images), points=clicks, geometry=exact if geometry == "exact geometry" else None)
    return judge(scene, question, np.stack(result.masks[0]))


def figures(answers: list[Answered]) -> dict[str, float]:
    """Means over the scenes, and the spread of the main figure."""
    ious = np.array([answer.iou for answer in answers])
    low, middle, high = np.quantile(ious, (0.25, 0.5, 0.75))
    strays = np.array([answer.strays for answer in answers])
    return {
        "scenes": len(answers),
        "mean IoU, unprompted views": float(ious.mean()),
        "lower quartile": float(low),
        "median": float(middle),
        "upper quartile": float(high),
        "mean IoU, prompted views": float(np.mean([answer.prompted_iou for answer in answers])),
        "stray pixels where the object is absent": float(np.nanmean(strays)) if np.isfinite(strays).any() else 0.0,
    }


def main() -> int:
    """Writes the figures and prints them."""
    parser = argparse.ArgumentParser(prog="make evaluate-demo", description=main.__doc__)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=50)
    parser.add_argument("--output", type=Path, default=Path("out/evaluation.json"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    result = evaluate(arguments.repository, arguments.scenes)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(arguments.output, result)
    for name, values in result["figures"].items():
        logger.info("%s: %s", name, ", ".join(f"{key} {value:.3g}" for key, value in values.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
