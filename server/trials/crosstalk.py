"""Clicks on many scenes at once, each compared with the answer that it gets alone."""

import random
import threading
from dataclasses import dataclass

import numpy as np

from mvsam_client import Click, Client
from mvsam_client.connection import Connection, Tensors
from mvsam_client.prompts import prompt_tensors
from server.trials.figures import Trial
from server.trials.latency import photographs
from server.trials.load import together

SCENES = 50
VIEWS, HEIGHT, WIDTH = 3, 120, 160
WORKERS = 8
TOLERANCE = 1e-3  # of a logit


@dataclass(frozen=True)
class Asked:
    """One click on one scene, and the logits that it gets alone, float32 [1, VIEWS, h, w]."""

    tensors: Tensors
    alone: np.ndarray


def run(url: str, count: int, trial: Trial) -> None:
    """Every click is asked alone first, then all again by several clients in random order."""
    rng = random.Random(0)
    connection = Connection(url)
    with Client(url) as client:
        scenes = [client.encode(photographs(VIEWS, seed=100 + k, height=HEIGHT, width=WIDTH)) for k in range(SCENES)]
        asked = []
        for _ in range(count):
            clicks = [
                Click(rng.randrange(VIEWS), rng.uniform(0, WIDTH - 1), rng.uniform(0, HEIGHT - 1), positive=not k)
                for k in range(rng.randint(1, 4))
            ]
            named = {"ACTION": "segment", "SCENE": rng.choice(scenes).id}
            tensors = prompt_tensors(clicks) | {name: np.array([text.encode()], object) for name, text in named.items()}
            asked.append(Asked(tensors, logits_of(connection, tensors)))
        rng.shuffle(asked)
        lock, left = threading.Lock(), iter(asked)
        largest, turned, beyond = 0.0, 0, 0

        def work(number: int) -> None:
            nonlocal largest, turned, beyond
            while True:
                with lock:
                    one = next(left, None)
                if one is None:
                    return
                found = logits_of(connection, one.tensors)
                differs = (found > 0) != (one.alone > 0)
                with lock:
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
        beyond == 0,
    )


def logits_of(connection: Connection, tensors: Tensors) -> np.ndarray:
    """Of one click, in the order of the views."""
    parts = list(connection.stream("mvsam_scene", tensors, ("VIEW", "mask_logits"), timeout=60))
    views = np.concatenate([part["VIEW"] for part in parts])
    logits = np.concatenate([part["mask_logits"] for part in parts], axis=1)
    return logits[:, np.argsort(views)]
