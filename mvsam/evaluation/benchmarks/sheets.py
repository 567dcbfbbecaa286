"""Pictures of results: a column a view; rows for the photograph with its clicks, the truth, and each method."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mvsam.evaluation.benchmarks.results import ObjectResult, decoded
from mvsam.evaluation.benchmarks.scenes import Click, Scene, Target
from mvsam.pipeline.images import decode_photograph

WIDTH, GAP, LINE = 200, 6, 18
PAPER, INK = (250, 250, 250), (40, 40, 40)
FOUND, MISSED, STRAY = (0, 150, 90), (30, 110, 230), (220, 50, 40)  # right, truth left out, marked beside the truth
POSITIVE, NEGATIVE = (0, 190, 70), (225, 30, 30)
LEGEND = "green: right, blue: missed, red: marked wrongly; untinted masks are not scored"


def sheet(scene: Scene, target: Target, found: Mapping[str, ObjectResult], views: Sequence[int]) -> Image.Image:
    """What each method found of one object.

    Args:
        scene: of the object.
        target: the object.
        found: by what a method is called.
        views: that are shown.
    """
    photographs = {
        view: decode_photograph(scene.photographs[view].read(), scene.photographs[view].name) for view in views
    }
    truth = {view: target.truth[view]() for view in views if view in target.truth}
    rows = [("photographs and clicks", [_clicked(photographs[view], view, target.clicks) for view in views])]
    rows.append(("exact masks", [_judged(photographs[view], truth.get(view), truth.get(view)) for view in views]))
    for name, result in found.items():
        masks = {view: decoded(result.masks[view]) for view in views}
        rows.append((name, [_judged(photographs[view], masks[view], truth.get(view)) for view in views]))
    heights = [max(tile.height for tile in tiles) for _, tiles in rows]
    picture = Image.new("RGB", (len(views) * (WIDTH + GAP) + GAP, sum(heights) + len(rows) * (LINE + GAP) + GAP), PAPER)
    pen, font, top = ImageDraw.Draw(picture), ImageFont.load_default(13), GAP
    for (name, tiles), height in zip(rows, heights, strict=True):
        pen.text((GAP, top), name.replace("π³", "pi3"), fill=INK, font=font)  # the font lacks it
        for column, tile in enumerate(tiles):
            picture.paste(tile, (GAP + column * (WIDTH + GAP), top + LINE))
        top += height + LINE + GAP
    return picture


def _clicked(photograph: np.ndarray, view: int, clicks: Sequence[Click]) -> Image.Image:
    tile, scale = _tile(photograph)
    pen = ImageDraw.Draw(tile)
    for click in clicks:
        if click.view == view:
            x, y = (click.x + 0.5) * scale, (click.y + 0.5) * scale
            pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=POSITIVE if click.positive else NEGATIVE, outline="white")
    return tile


def _judged(photograph: np.ndarray, mask: np.ndarray | None, truth: np.ndarray | None) -> Image.Image:
    """A grey photograph with the mask in the colours of the legend; without truth, in white."""
    grey = np.repeat(photograph.mean(axis=2, keepdims=True) * 0.6 + 60, 3, axis=2).astype(np.uint8)
    tile, _ = _tile(grey)
    pixels = np.asarray(tile).copy()
    if mask is None:
        return tile
    size = tile.height, tile.width
    marked = _resized(mask, size)
    if truth is None:
        parts = [(marked, (255, 255, 255))]
    else:
        exact = _resized(truth, size)
        parts = [(marked & exact, FOUND), (exact & ~marked, MISSED), (marked & ~exact, STRAY)]
    for part, colour in parts:
        pixels[part] = pixels[part] // 3 + np.array(colour, np.uint8) // 3 * 2
    return Image.fromarray(pixels)


def _tile(photograph: np.ndarray) -> tuple[Image.Image, float]:
    """A photograph of the sheet's width, and how much smaller it is."""
    height, width = photograph.shape[:2]
    size = WIDTH, max(1, round(height * WIDTH / width))
    return Image.fromarray(photograph).resize(size, Image.Resampling.LANCZOS), WIDTH / width


def _resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT) > 0
