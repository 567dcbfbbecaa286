"""What is kept of a run: a file a scene, written when the scene is done, whole or not at all.

Files hold what was found and nothing of when or how fast, so that a run that was interrupted and resumed leaves the
same bytes as one that was not.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mvsam.evaluation.benchmarks.corrections import Corrections
from mvsam.evaluation.benchmarks.scenes import Click
from mvsam.evaluation.benchmarks.scoring import Averaging, Score, ViewScore, mean_score, score_object
from mvsam.pipeline.encodings import MaskEncoding, decode_mask, encode_mask
from mvsam.runtime.artifacts import write_json

SETTINGS = "run.json"


class RunError(Exception):
    """A run cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class ObjectResult:
    """What a method found of one object.

    Attributes:
        clicks: that it was given.
        views: scores of the scored views.
        masks: COCO run lengths of all N views.
        agreement: of masks between views, by reprojection; None where there are no cameras.
        corrections: what came of corrective clicks, by `Feedback`; empty where none were asked for or possible.
    """

    clicks: tuple[Click, ...]
    views: tuple[ViewScore, ...]
    masks: tuple[dict[str, Any], ...]
    agreement: float | None = None
    corrections: Mapping[str, Corrections] = field(default_factory=dict)

    def score(self, averaging: Averaging = Averaging.MACRO) -> Score:
        """Of all scored views."""
        return score_object(self.views, averaging)


@dataclass(frozen=True)
class SceneResult:
    """Objects by name; or the reason why there is nothing."""

    objects: Mapping[str, ObjectResult]
    error: str | None = None

    def score(self, averaging: Averaging = Averaging.MACRO) -> Score:
        """The mean of its objects."""
        return mean_score(each.score(averaging) for each in self.objects.values())


@dataclass(frozen=True)
class Results:
    """Results of one method on one data set, in a folder.

    Attributes:
        folder: of them.
        settings: everything that other results would come of.
    """

    folder: Path
    settings: Mapping[str, Any]

    def open(self) -> None:
        """Begins, or goes on.

        Raises:
            RunError: the folder holds results of other settings.
        """
        path = self.folder / SETTINGS
        if not path.is_file():
            write_json(path, dict(self.settings))
            return
        found = json.loads(path.read_text())
        differing = sorted(name for name in {*found, *self.settings} if found.get(name) != self.settings.get(name))
        if differing:
            raise RunError(
                f"{self.folder} holds results with other {', '.join(differing)}; give another --output, or remove it"
            )

    def path(self, scene: str) -> Path:
        """Where a scene's result is."""
        return self.folder / f"{scene.replace('/', '_')}.json"

    def is_done(self, scene: str) -> bool:
        """Whether there is a result; a scene that failed is tried again."""
        return self.path(scene).is_file() and self.read(scene).error is None

    def write(self, scene: str, result: SceneResult) -> None:
        """Keeps a result."""
        objects = {
            name: {
                "clicks": [list(click) for click in each.clicks],
                "views": [view.as_json() for view in each.views],
                "masks": list(each.masks),
                "agreement": each.agreement,
                "corrections": {way: _corrections_as_json(found) for way, found in each.corrections.items()},
            }
            for name, each in result.objects.items()
        }
        write_json(self.path(scene), {"scene": scene, "error": result.error, "objects": objects})

    def read(self, scene: str) -> SceneResult:
        """One that is there."""
        found = json.loads(self.path(scene).read_text())
        return SceneResult(
            {
                name: ObjectResult(
                    tuple(Click(*click) for click in each["clicks"]),
                    tuple(ViewScore(**view) for view in each["views"]),
                    tuple(each["masks"]),
                    each["agreement"],
                    {way: _corrections_of(stored) for way, stored in each.get("corrections", {}).items()},
                )
                for name, each in found["objects"].items()
            },
            found["error"],
        )

    def read_all(self, scenes: Sequence[str]) -> dict[str, SceneResult]:
        """Those of some scenes that are there, in that order."""
        return {scene: self.read(scene) for scene in scenes if self.path(scene).is_file()}


def _corrections_as_json(found: Corrections) -> dict[str, Any]:
    return {
        "clicks": [list(click) for click in found.clicks],
        "clicked_views": list(found.clicked_views),
        "ious": [{str(view): iou for view, iou in by_view.items()} for by_view in found.ious],
    }


def _corrections_of(stored: Mapping[str, Any]) -> Corrections:
    return Corrections(
        tuple(Click(*click) for click in stored["clicks"]),
        tuple(stored["clicked_views"]),
        tuple({int(view): iou for view, iou in by_view.items()} for by_view in stored["ious"]),
    )


def encoded(mask: np.ndarray) -> dict[str, Any]:
    """COCO run lengths of a mask, bool [h, w]."""
    return json.loads(encode_mask(mask, MaskEncoding.RLE))


def decoded(mask: Mapping[str, Any]) -> np.ndarray:
    """bool [h, w]."""
    height, width = mask["size"]
    return decode_mask(json.dumps(dict(mask)).encode(), MaskEncoding.RLE, (height, width))
