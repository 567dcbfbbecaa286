"""Contact sheets: a row for each scene, its photographs, and what object each pixel of the first view belongs to."""

import colorsys
from pathlib import Path

import numpy as np
from PIL import Image

from mvsam.synthetic.scene import BACKGROUND, Scene, Split, render_batch

GAP = 4


def contact_sheet(scenes: list[Scene]) -> np.ndarray:
    """uint8 [height, width, 3]."""
    rows = [np.concatenate([_bordered(tile) for tile in [*s.images, label_colours(s.objects[0])]], 1) for s in scenes]
    return np.concatenate(rows)


def label_colours(objects: np.ndarray) -> np.ndarray:
    """Colours [..., 3] that tell instance ids apart; the background is dark."""
    hues = [colorsys.hsv_to_rgb((0.61803 * i) % 1, 0.75, 0.95) for i in range(max(1, int(objects.max()) + 1))]
    palette = np.array([*hues, (0.12, 0.12, 0.12)])
    return (255 * palette[np.where(objects == BACKGROUND, len(hues), objects)]).astype(np.uint8)


def write(out: Path, split: Split, seeds: list[int], views: int, height: int, width: int, device: str) -> None:
    """Renders scenes and saves their sheet."""
    found = render_batch(seeds, split, views=views, height=height, width=width, device=device)
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(contact_sheet([found.scene(i) for i in range(len(seeds))])).save(out)


def _bordered(tile: np.ndarray) -> np.ndarray:
    return np.pad(tile, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)
