"""Corrective clicks: prompts placed where the decoder's own answer is wrong, as SAM is trained and evaluated.

Errors are looked for at the resolution of the logits; each of their pixels has a 3-D point (`ClickMap`).
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mvsam.networks.mask_decoder import PlacedPrompts
from mvsam.networks.prompt_encoder import NEGATIVE, POSITIVE
from mvsam.pipeline.prompts import MASK_LOGIT
from mvsam.pipeline.request import PADDING

CHANCES = 16  # random numbers an object, drawn with its example


@dataclass(frozen=True)
class Corrections:
    """How training corrects its own answers.

    Attributes:
        rounds: answers that are corrected before the one that is trained on; step i takes the entry i modulo the
            length.
        opening: at most so many clicks before the first answer, where there are rounds.
        clicks: at most so many clicks a round and object.
        fed_back: share of the objects whose last answer is given as a mask prompt besides.

    Raises:
        ValueError: more clicks than an example has random numbers for.
    """

    rounds: tuple[int, ...] = (0,)
    opening: int = 3
    clicks: int = 3
    fed_back: float = 0.5

    def __post_init__(self) -> None:
        draws = 1 + max(self.rounds) * (2 + self.clicks)  # the opening; of each round the count, the mask, the places
        if draws > CHANCES:
            raise ValueError(f"{max(self.rounds)} rounds of {self.clicks} clicks need {draws} draws, over {CHANCES}")


class ClickMap(NamedTuple):
    """What a click on each pixel of the logits' raster means; B views, S pixels a side."""

    points: Float[Tensor, "views S S 3"]  # z-scored
    low_confidence: Bool[Tensor, "views S S"]


def opened(prompts: PlacedPrompts, corrections: Corrections, chance: Float[Tensor, " objects"]) -> PlacedPrompts:
    """Returns the prompts with all but each object's first few taken away.

    Args:
        prompts: of O objects; positive clicks come first.
        corrections: how many are kept at most.
        chance: from 0 to 1; a single click is the likeliest.
    """
    kept = 1 + (corrections.opening * chance.square()).long()
    place = torch.arange(prompts.labels.shape[1], device=kept.device)
    return prompts._replace(labels=torch.where(place < kept[:, None], prompts.labels, PADDING))


def corrected(
    prompts: PlacedPrompts,
    logits: Float[Tensor, "objects S S"],
    targets: Float[Tensor, "objects S S"],
    clicks: ClickMap,
    views: Int[Tensor, " objects"],
    corrections: Corrections,
    chance: Float[Tensor, "objects draws"],
) -> PlacedPrompts:
    """Returns the prompts with clicks drawn from the errors of an answer, and with that answer as a mask for some.

    Args:
        prompts: that were answered.
        logits: the answer.
        targets: shares that the objects cover.
        clicks: of the views.
        views: of each object.
        corrections: how many clicks, how often a mask.
        chance: random numbers from 0 to 1: the count of clicks, whether a mask, and the place of each click.
    """
    inside = (targets > 0.5).flatten(1)
    wrong = (logits.flatten(1) > 0) != inside
    total = wrong.sum(1)
    rank = (chance[:, 2:] * total[:, None]).long() + 1  # the how-manieth wrong pixel
    pixel = torch.searchsorted(wrong.cumsum(1), rank).clamp(max=wrong.shape[1] - 1)
    count = 1 + (chance[:, 0] * corrections.clicks).long()
    used = (torch.arange(corrections.clicks, device=count.device) < count[:, None]) & (total > 0)[:, None]
    labels = torch.where(inside.gather(1, pixel), POSITIVE, NEGATIVE)
    answer = logits.detach().float().clamp(-MASK_LOGIT, MASK_LOGIT)[:, None]
    own = len(prompts.masks) + torch.arange(len(answer), device=answer.device)
    fed_back = chance[:, 1] < corrections.fed_back
    return appended(
        prompts._replace(
            masks=torch.cat([prompts.masks, answer]),
            mask_index=torch.where(fed_back[:, None], own[:, None].to(prompts.mask_index.dtype), prompts.mask_index),
        ),
        torch.where(used, labels, PADDING),
        pixel,
        clicks,
        views,
    )


def appended(
    prompts: PlacedPrompts,
    labels: Int[Tensor, "objects clicks"],
    pixels: Int[Tensor, "objects clicks"],
    clicks: ClickMap,
    views: Int[Tensor, " objects"],
) -> PlacedPrompts:
    """Returns the prompts with further clicks, given as indices into each view's raster."""
    points = clicks.points.flatten(1, 2)[views[:, None], pixels]
    low = clicks.low_confidence.flatten(1)[views[:, None], pixels]
    return prompts._replace(
        points=torch.cat([prompts.points, points], 1),
        low_confidence=torch.cat([prompts.low_confidence, low], 1),
        labels=torch.cat([prompts.labels, labels.to(prompts.labels.dtype)], 1),
    )


def with_answer(prompts: PlacedPrompts, logits: Float[Tensor, "objects S S"]) -> PlacedPrompts:
    """Returns the prompts with an answer as every object's mask prompt, and no other masks."""
    answer = logits.detach().float().clamp(-MASK_LOGIT, MASK_LOGIT)[:, None]
    index = torch.arange(1, len(answer) + 1, device=answer.device)[:, None].to(prompts.mask_index.dtype)
    return prompts._replace(masks=torch.cat([prompts.masks[:1], answer]), mask_index=index)


def worst_pixel(found: np.ndarray, exact: np.ndarray) -> tuple[int, int]:
    """Returns where a careful user clicks next: the pixel farthest from the border of the largest error, and its label.

    Args:
        found, exact: bool [S, S]; with nothing found, the first click falls into the object's middle.

    Returns:
        Index into the raster, and POSITIVE, NEGATIVE or, where nothing is wrong, PADDING.
    """
    best = (0.0, 0, PADDING)
    for error, label in ((exact & ~found, POSITIVE), (found & ~exact, NEGATIVE)):
        distance = cv2.distanceTransform(np.pad(error, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        place = int(distance.argmax())
        best = max(best, (float(distance.flat[place]), place, label), key=lambda found: found[0])
    return best[1], best[2]
