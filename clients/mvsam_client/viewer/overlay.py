"""A photograph of the page with its masks and clicks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mvsam_client import pictures
from mvsam_client.prompts import Click


def drawn(
    picture: np.ndarray, size: tuple[int, int], masks: Mapping[int, np.ndarray], clicks: Sequence[Click]
) -> np.ndarray:
    """Masks and clicks of a photograph over a small picture of it.

    Args:
        picture: uint8 [h, w, 3], of any size.
        size: (h, w) of the photograph.
        masks: bool of the photograph's size, by object id, counted from 1.
        clicks: those on this photograph.

    Returns:
        uint8 [h, w, 3].
    """
    height, width = picture.shape[:2]
    rows = ((np.arange(height) + 0.5) / height * size[0]).astype(np.intp)
    columns = ((np.arange(width) + 0.5) / width * size[1]).astype(np.intp)
    small = {each: mask[rows[:, None], columns] for each, mask in masks.items()}
    nothing = np.zeros((height, width), bool)
    in_order = [small.get(each, nothing) for each in range(1, max(small, default=0) + 1)]
    scaled = [
        replace(
            click,
            x=(click.x + 0.5) / size[1] * width - 0.5,
            y=(click.y + 0.5) / size[0] * height - 0.5,
        )
        for click in clicks
    ]
    return np.asarray(pictures.overlay(picture, in_order, scaled))
