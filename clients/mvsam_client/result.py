"""The server's answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mvsam_client import rle
from mvsam_client.errors import ServerError


@dataclass(frozen=True, eq=False)
class Segmentation:
    """One mask per object and view.

    Attributes:
        masks: [objects][views] of bool [h, w], each at its upright photograph's own size.
        rles: [objects][views] of the same masks as COCO writes them: {"size": [h, w], "counts": str}.
        scores: f32 [O, N], mean probability inside the mask, 0 where it is empty.
        areas: i64 [O, N], pixels.
        sizes: i32 [N, 2], (h, w) of the upright photographs.
        extra: the further outputs that were asked for, by name.
        answer: of a scene's server, which keeps the masks a while, to be refined; empty from the ensembles.
    """

    masks: list[list[np.ndarray]]
    rles: list[list[dict]]
    scores: np.ndarray
    areas: np.ndarray
    sizes: np.ndarray
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    answer: str = ""

    @classmethod
    def of(cls, answer: Mapping[str, np.ndarray], extra: tuple[str, ...] = ()) -> "Segmentation":
        """Reads the outputs of the ensembles, with masks as RLE.

        Raises:
            ServerError: a mask cannot be decoded.
        """
        found = [[decoded(encoded) for encoded in row] for row in answer["MASKS"]]
        return cls(
            [[mask for mask, _ in row] for row in found],
            [[run_lengths for _, run_lengths in row] for row in found],
            answer["SCORES"],
            answer["AREAS"],
            answer["IMAGE_SIZES"],
            {name: answer[name] for name in extra},
        )


@dataclass(frozen=True, eq=False)
class ViewMasks:
    """The masks of one view.

    Attributes:
        view: which.
        masks: [objects] of bool [h, w], at the upright photograph's own size.
        rles: [objects] of the same masks as COCO writes them.
        scores: f32 [O], mean probability inside the mask, 0 where it is empty.
        areas: i64 [O], pixels.
        answer: see `Segmentation`; empty but for the views that come last.
    """

    view: int
    masks: list[np.ndarray]
    rles: list[dict]
    scores: np.ndarray
    areas: np.ndarray
    answer: str


def decoded(encoded: bytes) -> tuple[np.ndarray, dict]:
    """A mask, bool [h, w], and its RLE, of one element of MASKS.

    Raises:
        ServerError: it cannot be decoded.
    """
    try:
        run_lengths = json.loads(encoded)
        height, width = run_lengths["size"]
        return rle.decode(run_lengths["counts"], int(height), int(width)), run_lengths
    except (ValueError, KeyError, TypeError) as error:
        raise ServerError(f"MASKS: no COCO RLE ({error}); update the older of client and server") from None
