"""Pictures for people: masks drawn over photographs, and all views on one sheet."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mvsam_client.prompts import Box, Click

# One colour per object, far from one another and from the colours of most scenes.
PALETTE = ((30, 144, 255), (255, 140, 0), (190, 60, 220), (0, 200, 160), (240, 60, 110), (230, 200, 0))
POSITIVE, NEGATIVE = (0, 190, 70), (225, 30, 30)
PAPER, INK = (250, 250, 250), (40, 40, 40)
TILE_SIDE, TILE_GAP, CAPTION_SIZE, CAPTION_LINE, CAPTION_MARGIN = 480, 12, 15, 20, 4


def colour_of(index: int) -> tuple[int, int, int]:
    """The colour of an object, the same in every picture and in the point cloud."""
    return PALETTE[index % len(PALETTE)]


def tint(pixels: np.ndarray, selected: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Mixes the selected pixels with equal parts of a colour, in place.

    Args:
        pixels: uint8 [..., 3].
        selected: bool [...].
    """
    pixels[selected] = pixels[selected] // 2 + np.array(colour, np.uint8) // 2


def overlay(
    photograph: np.ndarray,
    masks: Sequence[np.ndarray],
    clicks: Sequence[Click] = (),
    boxes: Sequence[Box] = (),
) -> Image.Image:
    """A photograph with its masks translucent and outlined, and the prompts that were made on it.

    Args:
        photograph: uint8 [h, w, 3].
        masks: bool [h, w], one an object.
        clicks: those on this photograph; green with a plus, red with a minus.
        boxes: those on this photograph.
    """
    pixels = photograph.copy()
    longest = max(pixels.shape[:2])
    for index, mask in enumerate(masks):
        tint(pixels, mask, colour_of(index))
        pixels[outline(mask, max(1, longest // 300))] = colour_of(index)
    picture = Image.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    for box in boxes:
        corners = (min(box.x0, box.x1), min(box.y0, box.y1), max(box.x0, box.x1), max(box.y0, box.y1))
        pen.rectangle(corners, outline=colour_of(box.object), width=max(2, longest // 300))
    for click in clicks:
        _mark(pen, click, max(6, longest // 70))
    return picture


def outline(mask: np.ndarray, thickness: int) -> np.ndarray:
    """The pixels of a mask within `thickness` steps of its border; the photograph's edge is no border."""
    inside = mask
    for _ in range(thickness):
        shrunk = inside.copy()
        shrunk[1:] &= inside[:-1]
        shrunk[:-1] &= inside[1:]
        shrunk[:, 1:] &= inside[:, :-1]
        shrunk[:, :-1] &= inside[:, 1:]
        inside = shrunk
    return mask & ~inside


def thumbnail(picture: Image.Image) -> Image.Image:
    """The picture made small enough for a tile of the contact sheet."""
    small = picture.copy()
    small.thumbnail((TILE_SIDE, TILE_SIDE))
    return small


def contact_sheet(thumbnails: Sequence[Image.Image], captions: Sequence[str]) -> Image.Image:
    """All views in reading order, each above its caption, which takes as many lines as it needs."""
    columns = math.ceil(math.sqrt(len(thumbnails)))
    rows = math.ceil(len(thumbnails) / columns)
    width = max(tile.width for tile in thumbnails)
    height = max(tile.height for tile in thumbnails)
    font = ImageFont.load_default(CAPTION_SIZE)
    texts = [wrapped(caption, width, font.getlength) for caption in captions]
    caption_height = CAPTION_MARGIN + CAPTION_LINE * max(map(len, texts))
    step_x, step_y = width + TILE_GAP, height + caption_height + TILE_GAP
    sheet = Image.new("RGB", (columns * step_x + TILE_GAP, rows * step_y + TILE_GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for index, (tile, lines) in enumerate(zip(thumbnails, texts, strict=True)):
        row, column = divmod(index, columns)
        x, y = TILE_GAP + column * step_x, TILE_GAP + row * step_y
        sheet.paste(tile, (x + (width - tile.width) // 2, y + (height - tile.height) // 2))
        for line, text in enumerate(lines):
            pen.text((x, y + height + CAPTION_MARGIN + CAPTION_LINE * line), text, fill=INK, font=font)
    return sheet


def wrapped(text: str, width: float, length: Callable[[str], float]) -> list[str]:
    """Lines of a text, broken between words, and within those that are too long for a line.

    Args:
        text: nothing of it is left out but the spaces at which it is broken.
        width: of a line.
        length: of a piece of text, in the unit of `width`.
    """
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if length(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while length(line) > width and len(line) > 1:
            fits = max(1, next(end for end in range(1, len(line) + 1) if length(line[:end]) > width) - 1)
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line]


def _mark(pen: ImageDraw.ImageDraw, click: Click, radius: int) -> None:
    x, y = click.x, click.y
    rim, arm, stroke = max(2, radius // 4), radius // 2, max(2, radius // 4)
    disc = (x - radius, y - radius, x + radius, y + radius)
    pen.ellipse(disc, fill=POSITIVE if click.positive else NEGATIVE, outline="white", width=rim)
    pen.line((x - arm, y, x + arm, y), fill="white", width=stroke)
    if click.positive:
        pen.line((x, y - arm, x, y + arm), fill="white", width=stroke)
