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
    """

    masks: list[list[np.ndarray]]
    rles: list[list[dict]]
    scores: np.ndarray
    areas: np.ndarray
    sizes: np.ndarray
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Mapping[str, np.ndarray], extra: tuple[str, ...] = ()) -> "Segmentation":
        """Reads the outputs of the ensembles, with masks as RLE.

        Raises:
            ServerError: a mask cannot be decoded.
        """
        sizes = answer["IMAGE_SIZES"]
        try:
            rles = [[json.loads(encoded) for encoded in row] for row in answer["MASKS"]]
            masks = [
                [rle.decode(run["counts"], int(h), int(w)) for run, (h, w) in zip(row, sizes, strict=True)]
                for row in rles
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise ServerError(f"MASKS: no COCO RLE ({error}); update the older of client and server") from None
        return cls(masks, rles, answer["SCORES"], answer["AREAS"], sizes, {name: answer[name] for name in extra})
