"""Clicks on many scenes at once, each compared with the answer that it gets alone."""

import random
import threading
from dataclasses import dataclass

import numpy as np

from mvsam_client import Click, Client
from mvsam_client.connection import Connection, Tensors
from mvsam_client.prompts import prompt_tensors
from mvsam_client.result import decoded
from server.trials.figures import Trial
from server.trials.latency import photographs
from server.trials.load import together

SCENES = 50
VIEWS, HEIGHT, WIDTH = 3, 120, 160
WORKERS = 8
TOLERANCE = 1e-3  # of a logit
SAME, LEAST = 0.01, 500  # share by which an area may differ, and pixels below which it counts for these


@dataclass(frozen=True)
class Asked:
    """One click on one scene, and what it gets alone: logits float32 [1, VIEWS, h, w], areas of the masks [VIEWS]."""

    tensors: Tensors
    alone: np.ndarray
    areas: np.ndarray


def run(url: str, count: int, trial: Trial) -> None:
    """Every click is asked alone first, then all again by several clients in random order."""
    rng = random.Random(0)
    connection = Connection(url)
    with Client(url, retries=0, reencode=False) as client:
        scenes = [client.encode(photographs(VIEWS, seed=100 + k, height=HEIGHT, width=WIDTH)) for k in range(SCENES)]
        asked = []
        for _ in range(count):
            clicks = [
                Click(rng.randrange(VIEWS), rng.uniform(0, WIDTH - 1), rng.uniform(0, HEIGHT - 1), positive=not k)
                for k in range(rng.randint(1, 4))
            ]
            named = {"ACTION": "segment", "SCENE": rng.choice(scenes).id}
            tensors = prompt_tensors(clicks) | {name: np.array([text.encode()], object) for name, text in named.items()}
            asked.append(Asked(tensors, *answer_to(connection, tensors)))
        rng.shuffle(asked)
        lock, left = threading.Lock(), iter(asked)
        largest, turned, beyond, mixed, compared = 0.0, 0, 0, 0, 0

        def work(number: int) -> None:
            nonlocal largest, turned, beyond, mixed, compared
            while True:
                with lock:
                    one = next(left, None)
                if one is None:
                    return
                found, areas = answer_to(connection, one.tensors)
                differs = (found > 0) != (one.alone > 0)
                with lock:
                    compared += 1
                    mixed += int((np.abs(areas - one.areas) > SAME * np.maximum(one.areas, LEAST)).any())
                    largest = max(largest, float(np.abs(found - one.alone).max()))
                    turned += int(differs.sum())
                    beyond += int((differs & (np.abs(one.alone) > TOLERANCE)).any())

        together(WORKERS, work)
        for scene in scenes:
            scene.close()
    connection.close()
    trial.figures["crosstalk"] = {"clicks": count, "scenes": SCENES, "largest difference": largest, "pixels": turned}
    trial.expect(
        f"{count} clicks at once over {SCENES} scenes: none mixed up, pixels differ only where the logit is within "
        f"{TOLERANCE:g} of 0",
        f"{beyond} beyond; {turned} pixels within; logits differ by {largest:.1e} at most",
        beyond == 0 and compared == count,
    )
    trial.expect(
        "nor are the encoded masks, by their areas",
        f"{mixed} of {compared}; {len({tuple(one.areas) for one in asked})} different answers among them",
        mixed == 0 and compared == count,
    )


def answer_to(connection: Connection, tensors: Tensors) -> tuple[np.ndarray, np.ndarray]:
    """Logits and the areas of the decoded masks of one click, in the order of the views."""
    parts = list(connection.stream("mvsam_scene", tensors, ("VIEW", "MASKS", "mask_logits"), timeout=60))
    views = np.concatenate([part["VIEW"] for part in parts])
    logits = np.concatenate([part["mask_logits"] for part in parts], axis=1)
    masks = np.concatenate([part["MASKS"] for part in parts], axis=1)
    assert sorted(views) == list(range(VIEWS))
    order = np.argsort(views)
    return logits[:, order], np.array([decoded(masks[0, place])[0].sum() for place in order])
