"""A data set and methods that need no network: every view shows a square, somewhere else in each."""

import io
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from PIL import Image

from mvsam.evaluation.benchmarks.scenes import Click, DatasetError, Photograph, Scene, Target
from mvsam.evaluation.geometry.pointmaps import Pointmaps

SIZE = (32, 48)


def square(view: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[4 + 3 * view : 14 + 3 * view, 10 + 5 * view : 22 + 5 * view] = True
    return mask


def photograph(view: int) -> bytes:
    """The square in white; how bright the rest is tells the view."""
    pixels = np.full((*SIZE, 3), 10 * view, np.uint8)
    pixels[square(view)] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


class MadeScenes:
    """So many scenes of four views; the broken ones cannot be loaded."""

    name = "Made"

    def __init__(self, count: int = 3, broken: Sequence[str] = (), pointmaps: Callable[[], Pointmaps] | None = None):
        self.count, self.broken, self.loaded = count, set(broken), []
        self.pointmaps = pointmaps

    def scenes(self) -> list[str]:
        return [f"scene {index}" for index in range(self.count)]

    def load(self, scene: str) -> Scene:
        self.loaded.append(scene)
        if scene in self.broken:
            raise DatasetError(f"{scene} is broken")
        clicks = (Click(0, 12.0, 6.0), Click(2, 22.0, 12.0), Click(1, 0.0, 0.0, False))
        truth = {view: partial(square, view) for view in range(4)}
        target = Target("square", clicks, truth, (1, 2, 3))
        photographs = tuple(Photograph(str(view), partial(photograph, view)) for view in range(4))
        return Scene(scene, photographs, (target,), self.pointmaps)


class Bright:
    """Marks what is white, all but some columns; remembers what it was given."""

    name = "Bright"
    needs_geometry = False

    def __init__(self, left_out: int = 0) -> None:
        self.left_out, self.given, self.closed = left_out, [], 0

    def prepare(self, photographs: Sequence[bytes], pointmaps: Pointmaps | None) -> "Bright":
        self.pictures = [np.asarray(Image.open(io.BytesIO(data))) for data in photographs]
        return self

    def masks(self, clicks: Sequence[Click]) -> list[np.ndarray]:
        shades = [int(picture.min()) // 10 for picture in self.pictures]  # which view each is
        self.given.append((shades, [(shades[click.view], click.x, click.y, click.positive) for click in clicks]))
        masks = [picture[..., 0] == 255 for picture in self.pictures]
        for mask in masks:
            mask[:, : self.left_out] = False
        return masks

    def close(self) -> None:
        self.closed += 1
