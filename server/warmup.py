"""A small request of every kind to a served repository: the proof that it answers, and its first, slowest runs."""

import io
from collections.abc import Collection

import numpy as np
from PIL import Image

from mvsam_client import Click, Client

SCENES, ENSEMBLE = "mvsam_scene", "mvsam"
WIDTH, HEIGHT = 96, 64


def warm_up(grpc_url: str, timeout: float, models: Collection[str] = (SCENES, ENSEMBLE)) -> None:
    """Segments two small generated photographs with one click: as a scene, and by the ensemble.

    Args:
        grpc_url: host and port.
        timeout: seconds until each answer must be there.
        models: those that the repository has; of others nothing is asked.

    Raises:
        mvsam_client.MvsamError: the server refused, failed or took too long.
    """
    photographs, click = [_photograph(seed) for seed in range(2)], [Click(0, WIDTH / 2, HEIGHT / 2)]
    with Client(grpc_url, retries=0, reencode=False) as client:
        if SCENES in models:
            with client.encode(photographs, timeout=timeout) as scene:
                scene.segment(points=click, timeout=timeout)
        if ENSEMBLE in models:
            client.segment(photographs, points=click, timeout=timeout)


def _photograph(seed: int) -> bytes:
    """A PNG of noise, so that nothing in it is degenerate."""
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()
