"""Pictures of results: a column a view; rows for the photograph with its clicks, the truth, and what was found."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, GAP, LINE = 200, 6, 18
PAPER, INK = (250, 250, 250), (40, 40, 40)
RIGHT, MISSED, STRAY = (0, 150, 90), (30, 110, 230), (220, 50, 40)  # marked, left out, marked beside the truth
POSITIVE, NEGATIVE = (0, 190, 70), (225, 30, 30)
LEGEND = "green: right, blue: missed, red: marked wrongly; white: marked where no exact mask is known"


class Clicked(Protocol):
    """A click, the harness's or the client's."""

    @property
    def view(self) -> int: ...
    @property
    def x(self) -> float: ...
    @property
    def y(self) -> float: ...
    @property
    def positive(self) -> bool: ...


def sheet(
    photographs: Mapping[int, np.ndarray],
    clicks: Sequence[Clicked],
    truth: Mapping[int, np.ndarray],
    found: Mapping[str, Mapping[int, np.ndarray]],
) -> Image.Image:
    """Masks of one object.

    Args:
        photographs: by view, those that are shown, uint8 [h, w, 3].
        clicks: on any views.
        truth: exact masks by view, bool of any size; views may be missing.
        found: masks by view, by what the row is called.
    """
    rows = [("photographs and clicks", [_with_clicks(photographs[v], v, clicks) for v in photographs])]
    for name, masks in {"exact masks": truth, **found}.items():
        rows.append((name, [_judged(photographs[v], masks.get(v), truth.get(v), name in found) for v in photographs]))
    heights = [max(tile.height for tile in tiles) for _, tiles in rows]
    width, height = len(photographs) * (WIDTH + GAP) + GAP, sum(heights) + len(rows) * (LINE + GAP) + GAP
    picture = Image.new("RGB", (width, height), PAPER)
    pen, font, top = ImageDraw.Draw(picture), ImageFont.load_default(13), GAP
    for (name, tiles), tallest in zip(rows, heights, strict=True):
        pen.text((GAP, top), name.replace("π³", "pi3"), fill=INK, font=font)  # the font lacks it
        for column, tile in enumerate(tiles):
            picture.paste(tile, (GAP + column * (WIDTH + GAP), top + LINE))
        top += tallest + LINE + GAP
    return picture


def iou(found: np.ndarray, exact: np.ndarray) -> float | None:
    """IoU of two masks of one size; None where both are empty."""
    union = (found | exact).sum()
    return float((found & exact).sum() / union) if union else None


def _with_clicks(photograph: np.ndarray, view: int, clicks: Iterable[Clicked]) -> Image.Image:
    tile = _tile(photograph)
    pen, scale = ImageDraw.Draw(tile), WIDTH / photograph.shape[1]
    for click in clicks:
        if click.view == view:
            x, y = (click.x + 0.5) * scale, (click.y + 0.5) * scale
            pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=POSITIVE if click.positive else NEGATIVE, outline="white")
    return tile


def _judged(photograph: np.ndarray, mask: np.ndarray | None, truth: np.ndarray | None, is_answer: bool) -> Image.Image:
    """A grey photograph with the mask in the colours of the legend, and an answer's IoU."""
    tile = _tile(np.repeat(photograph.mean(axis=2, keepdims=True) * 0.6 + 60, 3, axis=2).astype(np.uint8))
    if mask is None:
        return tile
    pixels, size = np.asarray(tile).copy(), (tile.height, tile.width)
    marked = _resized(mask, size)
    exact = None if truth is None else _resized(truth, size)
    if exact is None:
        parts = [(marked, (255, 255, 255))]
    else:
        parts = [(marked & exact, RIGHT), (exact & ~marked, MISSED), (marked & ~exact, STRAY)]
    for part, colour in parts:
        pixels[part] = pixels[part] // 3 + np.array(colour, np.uint8) // 3 * 2
    judged = Image.fromarray(pixels)
    if is_answer and exact is not None:
        value = iou(marked, exact)
        said = "not in this view" if value is None else f"IoU {value:.2f}"
        ImageDraw.Draw(judged).text((5, tile.height - 17), said, fill="white", font=ImageFont.load_default(12))
    return judged


def _tile(photograph: np.ndarray) -> Image.Image:
    height, width = photograph.shape[:2]
    return Image.fromarray(photograph).resize((WIDTH, max(1, round(height * WIDTH / width))), Image.Resampling.LANCZOS)


def _resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT) > 0
