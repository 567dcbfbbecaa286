"""`make evaluate-demo`: held-out synthetic scenes through the real server, compared with their exact masks.

Beside the decoder's figures stand those of baselines that are given the same clicks and the same exact pointmaps.
"""

import argparse
import logging
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mvsam.evaluation.baselines import RADII, Baseline, fitted_baselines, ious_at, nearness
from mvsam.evaluation.figures import Judged, figures
from mvsam.evaluation.questions import Prompting, Question, ask, judge
from mvsam.evaluation.traits import traits
from mvsam.networks.presets import NETWORKS
from mvsam.runtime.artifacts import read_manifest, write_json
from mvsam.synthetic.scene import Scene, Split, sample_scene
from mvsam_client import Click, Client, Geometry
from server.launcher import TritonServer

logger = logging.getLogger(__name__)

FIRST_SEED = 200_000
FIRST_TRAINING_SEED = 0
VIEWS, SIDE = 8, 256
EXACT, OWN = "exact geometry", "own geometry"


def evaluate(repository: Path, scenes: int, fitted_to: int) -> dict[str, Any]:
    """Asks about one object of each scene, in each way and with each geometry; figures with their spread.

    Args:
        repository: a servable one.
        scenes: held-out scenes that are asked about.
        fitted_to: training scenes that the baselines' thresholds are chosen on.
    """
    weights = {name: read_manifest(repository / name / "1")["weights"] for name in NETWORKS}
    geometries = [EXACT] + ([OWN] if weights["pi3"]["trained"] else [])
    rivals = fitted(fitted_to)
    answers: dict[tuple[str, Prompting], list[Judged]] = defaultdict(list)
    rival_answers: dict[tuple[str, Prompting], list[Judged]] = defaultdict(list)
    by_radius: dict[Prompting, list[np.ndarray]] = defaultdict(list)
    with TritonServer(repository) as server, Client(server.grpc_url) as client:
        for scene, prompting, question in questions(Split.TEST, FIRST_SEED, scenes):
            hard = traits(scene, question.target)
            for geometry in geometries:
                masks = segmented(client, scene, question, geometry)
                answers[geometry, prompting].append(Judged(judge(scene, question, masks), hard))
            for name, rival in rivals[prompting].items():
                masks = rival.masks(scene, question)
                rival_answers[name, prompting].append(Judged(judge(scene, question, masks), hard))
            by_radius[prompting].append(ious_at(-RADII, nearness(scene, question), scene, question))
    return {
        "weights": weights,
        "figures": {title(geometry, prompting): figures(given) for (geometry, prompting), given in answers.items()},
        "baselines": {
            title(EXACT, prompting): {
                **{
                    name: {"level": rival.level, **figures(rival_answers[name, prompting])}
                    for name, rival in rivals[prompting].items()
                },
                "distance threshold chosen on these very scenes": best_radius(ious),
            }
            for prompting, ious in by_radius.items()
        },
    }


def title(geometry: str, prompting: Prompting) -> str:
    """Of a way to ask, in the file of figures."""
    return f"{geometry}, {prompting.name.lower()}"


def questions(split: Split, first_seed: int, scenes: int) -> Iterator[tuple[Scene, Prompting, Question]]:
    """One object of each scene, asked about in each way."""
    for seed in range(first_seed, first_seed + scenes):
        scene = sample_scene(seed, split, views=VIEWS, height=SIDE, width=SIDE)
        for prompting in Prompting:
            question = ask(scene, prompting, np.random.default_rng(seed))
            if question is not None:
                yield scene, prompting, question


def fitted(scenes: int) -> dict[Prompting, dict[str, Baseline]]:
    """The baselines for each way to ask, fitted to training scenes."""
    asked = list(questions(Split.TRAIN, FIRST_TRAINING_SEED, scenes))
    return {
        prompting: fitted_baselines([(scene, question) for scene, how, question in asked if how is prompting])
        for prompting in Prompting
    }


def segmented(client: Client, scene: Scene, question: Question, geometry: str) -> np.ndarray:
    """The server's masks, bool [N, H, W]."""
    clicks = [
        Click(view=int(v), x=int(x), y=int(y), positive=bool(p))
        for v, y, x, p in zip(question.views, question.rows, question.columns, question.positive, strict=True)
    ]
    exact = Geometry(scene.points, np.ones(scene.points.shape[:3], np.float32), scene.valid)
    result = client.segment(list(scene.images), points=clicks, geometry=exact if geometry == EXACT else None)
    return np.stack(result.masks[0])


def best_radius(ious: list[np.ndarray]) -> dict[str, float]:
    """An upper bound for distance thresholds: the one that no training scene chose."""
    means = np.mean(ious, axis=0)
    return {"level": -float(RADII[means.argmax()]), "mean IoU, unprompted views": float(means.max())}


def main() -> int:
    """Writes the figures and prints them."""
    parser = argparse.ArgumentParser(prog="make evaluate-demo", description=main.__doc__)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=50)
    parser.add_argument("--fitted-to", type=int, default=40, help="training scenes for the baselines (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("out/evaluation.json"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    result = evaluate(arguments.repository, arguments.scenes, arguments.fitted_to)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(arguments.output, result)
    for asked, values in result["figures"].items():
        logger.info("%s", asked)
        for name, each in {"MV-SAM": values, **result["baselines"].get(asked, {})}.items():
            logger.info("  %s: %s", name, ", ".join(f"{key} {value:.3g}" for key, value in each.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
