"""What a sheet shows can be told by its colours."""

import numpy as np
import pytest
from PIL import Image

from mvsam.evaluation.benchmarks.scenes import Click
from mvsam.evaluation.sheets import GAP, LINE, MISSED, RIGHT, STRAY, WIDTH, iou, sheet

PHOTOGRAPH = np.full((100, WIDTH, 3), 90, np.uint8)


def band(*columns: int) -> np.ndarray:
    mask = np.zeros((100, WIDTH), bool)
    mask[:, slice(*columns)] = True
    return mask


def like(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    """Pixels in which a colour of the legend prevails."""
    pixels = np.asarray(picture).astype(int)
    grey = 90 * 0.6 + 60
    return int((np.abs(pixels - (grey / 3 + np.array(colour) * 2 / 3)).max(axis=2) < 10).sum())


def row(picture: Image.Image, index: int) -> Image.Image:
    top = GAP + index * (100 + LINE + GAP) + LINE
    return picture.crop((GAP, top, GAP + WIDTH, top + 80))  # without the figure at the bottom


def test_what_is_right_missed_and_wrong_has_its_colour() -> None:
    truth, found = band(0, 80), band(40, 100)
    picture = sheet({3: PHOTOGRAPH}, [], {3: truth}, {"found": {3: found}})
    assert like(row(picture, 1), RIGHT) == 80 * 80
    answer = row(picture, 2)
    assert [like(answer, colour) for colour in (RIGHT, MISSED, STRAY)] == [40 * 80, 40 * 80, 20 * 80]


def test_marks_without_truth_are_neither_right_nor_wrong() -> None:
    picture = sheet({0: PHOTOGRAPH}, [], {}, {"found": {0: band(0, 50)}})
    assert [like(row(picture, 2), colour) for colour in (RIGHT, MISSED, STRAY)] == [0, 0, 0]
    assert like(row(picture, 2), (255, 255, 255)) == 50 * 80


def test_clicks_are_on_their_own_view() -> None:
    picture = sheet({0: PHOTOGRAPH, 1: PHOTOGRAPH}, [Click(1, 50, 40)], {}, {})
    pixels = np.asarray(picture)
    assert (pixels[GAP + LINE + 40, GAP + 50] == 90).all()
    assert not (pixels[GAP + LINE + 40, 2 * GAP + WIDTH + 50] == 90).all()


def test_iou() -> None:
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert iou(a, b) is None
    a[:2], b[1:3] = True, True
    assert iou(a, b) == pytest.approx(1 / 3)
