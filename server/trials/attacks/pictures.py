"""Photographs and masks that are small files and many pixels, and clicks on them."""

import functools
import io

import numpy as np
from PIL import Image

from server.trials.attacks.target import strings

SIDE = 7000  # 49 megapixels


@functools.cache
def large_photograph() -> bytes:
    """A JPEG of 49 megapixels."""
    return _file(Image.new("RGB", (SIDE, SIDE), (90, 120, 60)), "JPEG")


@functools.cache
def large_mask() -> bytes:
    """A PNG of 49 megapixels, some of them set."""
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (SIDE // 4, SIDE // 4, SIDE // 2, SIDE // 2))
    return _file(mask, "PNG")


@functools.cache
def noise_photograph(seed: int, side: int = 1200) -> bytes:
    """A JPEG of noise, of some bytes a pixel."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return _file(Image.fromarray(pixels), "JPEG")


@functools.cache
def tiny_photograph(seed: int) -> bytes:
    """A PNG of 64 pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return _file(Image.fromarray(pixels), "PNG")


def scene_request(
    scene: str, clicks: list[tuple[float, float]], encoding: str = "rle", points: int = 1
) -> dict[str, np.ndarray]:
    """Inputs of `mvsam_scene`: an object for each click, on the first view.

    Args:
        scene: its id.
        clicks: x and y.
        encoding: of the masks.
        points: how often each click is made.
    """
    return {
        "ACTION": strings(b"segment"),
        "SCENE": strings(scene.encode()),
        "POINTS": np.repeat(np.array(clicks, np.float32)[:, None], points, axis=1),
        "POINT_LABELS": np.ones((len(clicks), points), np.int32),
        "POINT_VIEWS": np.zeros((len(clicks), points), np.int32),
        "ENCODING": strings(encoding.encode()),
    }


def mask_request(scene: str, masks: list[bytes]) -> dict[str, np.ndarray]:
    """Inputs of `mvsam_scene`: an object for each mask, on the first view."""
    count = len(masks)
    return {
        "ACTION": strings(b"segment"),
        "SCENE": strings(scene.encode()),
        "POINTS": np.zeros((count, 1, 2), np.float32),
        "POINT_LABELS": np.full((count, 1), -1, np.int32),
        "POINT_VIEWS": np.zeros((count, 1), np.int32),
        "PROMPT_MASKS": strings(*masks),
        "MASK_OBJECTS": np.arange(count, dtype=np.int32),
        "MASK_VIEWS": np.zeros(count, np.int32),
    }


def _file(picture: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()
