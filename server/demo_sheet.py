"""One picture of the demonstration: each view's clicks, its exact mask and the masks that were found."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mvsam_client import Click
from mvsam_client.pictures import CAPTION_HEIGHT, CAPTION_SIZE, INK, PAPER, TILE_GAP, overlay

TILE_WIDTH = 320


def sheet(
    photographs: Sequence[np.ndarray],
    clicks: Sequence[Click],
    exact: np.ndarray,
    found: Mapping[str, np.ndarray],
) -> Image.Image:
    """A column a view: the photograph with its clicks, the exact mask, and a row for each way it was found.

    Args:
        photographs: N of uint8 [h, w, 3].
        clicks: on any of them.
        exact: bool [N, h, w].
        found: masks bool [N, h, w] by what the row is called; each tile's caption gives its IoU.
    """
    rows = [_row("photographs and clicks", photographs, None, clicks), _row("exact masks", photographs, exact, ())]
    for title, masks in found.items():
        rows.append(_row(title, photographs, masks, clicks, exact))
    height = sum(row.height for row in rows) + TILE_GAP
    picture = Image.new("RGB", (rows[0].width, height), PAPER)
    for index, row in enumerate(rows):
        picture.paste(row, (0, index * row.height))
    return picture


def iou(found: np.ndarray, exact: np.ndarray) -> float | None:
    """IoU of two masks; None where both are empty."""
    union = (found | exact).sum()
    return float((found & exact).sum() / union) if union else None


def _row(
    title: str,
    photographs: Sequence[np.ndarray],
    masks: np.ndarray | None,
    clicks: Sequence[Click],
    exact: np.ndarray | None = None,
) -> Image.Image:
    """Tiles side by side, each above its caption."""
    tiles, captions = [], []
    for view, photograph in enumerate(photographs):
        shown = overlay(photograph, [] if masks is None else [masks[view]], [c for c in clicks if c.view == view])
        height = round(shown.height * TILE_WIDTH / shown.width)
        tiles.append(shown.resize((TILE_WIDTH, height), Image.Resampling.LANCZOS))
        caption = f"view {view}: {title}" if view == 0 else f"view {view}"
        if masks is not None and exact is not None:
            value = iou(masks[view], exact[view])
            caption += ", not in this view" if value is None else f", IoU {value:.2f}"
        captions.append(caption)
    step, tallest = TILE_WIDTH + TILE_GAP, max(tile.height for tile in tiles)
    row = Image.new("RGB", (len(tiles) * step + TILE_GAP, tallest + CAPTION_HEIGHT + TILE_GAP), PAPER)
    pen, font = ImageDraw.Draw(row), ImageFont.load_default(CAPTION_SIZE)
    for view, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
        x = TILE_GAP + view * step
        row.paste(tile, (x, TILE_GAP))
        pen.text((x, TILE_GAP + tallest + 4), caption, fill=INK, font=font)
    return row
