"""Tiny pictures in the layouts of data sets, and where clicks fall on them."""

from pathlib import Path

import numpy as np
from PIL import Image

from mvsam.evaluation.benchmarks.scenes import Click


def save(path: Path, picture: np.ndarray) -> Path:
    """Writes a picture, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


def photographs(folder: Path, names: list[str], size: tuple[int, int] = (48, 64)) -> Path:
    """Writes photographs of (height, width), each a little brighter than the one before."""
    for index, name in enumerate(names):
        save(folder / name, np.full((*size, 3), 5 * index, np.uint8))
    return folder


def box(size: tuple[int, int], rows: slice, columns: slice) -> np.ndarray:
    """uint8 [h, w]: white in the box, black elsewhere."""
    mask = np.zeros(size, np.uint8)
    mask[rows, columns] = 255
    return mask


def truncate(path: Path) -> None:
    """Leaves the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scribble_over(path: Path) -> None:
    """Leaves the size and both ends of a PNG file, and spoils what is between."""
    data = path.read_bytes()
    path.write_bytes(data[:43] + bytes(8) + data[51:])


def under(click: Click, region: np.ndarray, size: tuple[int, int]) -> bool:
    """What a region of any size that covers a photograph of (height, width) says at a click."""
    (height, width), (rows, columns) = size, region.shape
    assert -0.5 <= click.x < width - 0.5 and -0.5 <= click.y < height - 0.5
    return bool(region[int((click.y + 0.5) * rows / height), int((click.x + 0.5) * columns / width)])
