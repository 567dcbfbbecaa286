"""Acceptance: a chain of graphs at reduced precision gives the masks that the FP32 chain gives, or is refused."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import cv2
import numpy as np

from calibration.scenes import CalibrationScene
from export.compare import Errors, relative_errors
from mvsam.networks.graphs import GRAPHS
from mvsam.pipeline.postprocessing import SPRINKLE
from mvsam.pipeline.preprocessing import preprocess
from mvsam.runtime.segmenter import Segmented, Segmenter, Session

MEAN_IOU, WORST_IOU = 0.995, 0.98  # over masks, and of the worst view with all of its masks together
JUDGED = 2 * SPRINKLE  # part of a photograph from which on its masks are judged alone: of 80 pixels, two are too many
OUTPUT_ERROR = 0.05  # of each graph's outputs, relative to their largest value


class Recorded:
    """A session that keeps what it was last given and what it gave."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.types = session.types
        self.inputs: dict[str, np.ndarray] = {}
        self.outputs: dict[str, np.ndarray] = {}

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As the session's."""
        self.inputs, self.outputs = inputs, self.session.run(inputs)
        return self.outputs


class Cast:
    """A session that takes features of any type, so that it fits between graphs of other precisions."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.types = session.types

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As the session's, once the inputs are of its types."""
        return self.session.run({name: x.astype(self.types.get(name, x.dtype)) for name, x in inputs.items()})


class Overlap(NamedTuple):
    """Of two chains' masks of one scene, in pixels; 0 where neither marks more than a sprinkle."""

    scene: str
    intersections: np.ndarray  # [O, N]
    unions: np.ndarray  # [O, N]
    photographs: np.ndarray  # [N], their sizes

    @property
    def masks(self) -> np.ndarray:
        """IoU of each mask there is."""
        there = self.unions > 0
        return self.intersections[there] / self.unions[there]

    @property
    def views(self) -> np.ndarray:
        """IoU of each view that has large masks, all of them together: a pixel more or less of a small one is no
        error."""
        unions = self.unions.sum(0)
        judged = unions >= JUDGED * self.photographs
        return self.intersections.sum(0)[judged] / unions[judged]


@dataclass
class Verdict:
    """What a candidate does to the masks of some scenes.

    Attributes:
        scenes: the masks of each, compared.
        errors: of each graph given what the reference's was given, the largest over the scenes.
        inputs: what each graph was given where its error was largest.
        culprits: graphs that break a tolerance alone, in the chain's order; looked for only where the chain does.
    """

    scenes: list[Overlap] = field(default_factory=list)
    errors: dict[str, Errors] = field(default_factory=dict)
    inputs: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    culprits: list[str] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """Mean IoU over all masks."""
        return float(np.concatenate([scene.masks for scene in self.scenes]).mean())

    @property
    def worst(self) -> float:
        """IoU of the worst view; 1 where none has large masks."""
        return float(np.concatenate([scene.views for scene in self.scenes]).min(initial=1.0))

    @property
    def masks(self) -> int:
        """How many masks were compared."""
        return sum(len(scene.masks) for scene in self.scenes)

    @property
    def accepted(self) -> bool:
        """Whether masks and outputs agree."""
        close = all(error <= OUTPUT_ERROR for errors in self.errors.values() for error in errors.values())
        return close and _agree(self.scenes)

    def __str__(self) -> str:
        said = (
            f"mask IoU to FP32 over {self.masks} masks of {len(self.scenes)} scenes: mean {self.mean:.4f} "
            f"(at least {MEAN_IOU}), worst view {self.worst:.4f} (at least {WORST_IOU})"
        )
        errors = "; ".join(
            f"{graph} " + ", ".join(f"{name} {error:.1e}" for name, error in outputs.items())
            for graph, outputs in self.errors.items()
        )
        return f"{said}\nrelative errors: {errors}"


def verify(reference: Segmenter, candidate: Segmenter, scenes: Iterable[CalibrationScene]) -> Verdict:
    """Runs both chains on the same scenes.

    Args:
        reference: FP32.
        candidate: any runtime, any precision.
        scenes: with prompts; at least one must yield a mask.

    Raises:
        ValueError: the reference marks nothing in any scene.
    """
    scenes = list(scenes)
    verdict = Verdict()
    recorded = _with_sessions(reference, {name: Recorded(getattr(reference, name)) for name in GRAPHS})
    for scene in scenes:
        expected = _ask(recorded, scene)
        if scene.geometry is not None:  # π³ had no part in the masks; its outputs are compared all the same
            recorded.pi3.run({"images": geometry_images(reference, scene)})
        for name in GRAPHS:
            record = getattr(recorded, name)
            errors = relative_errors(record.outputs, Cast(getattr(candidate, name)).run(record.inputs))
            seen = verdict.errors.setdefault(name, {})
            if max(errors.values()) >= max(seen.values(), default=0.0):
                verdict.inputs[name] = record.inputs
            seen.update({output: max(error, seen.get(output, 0.0)) for output, error in errors.items()})
        verdict.scenes.append(overlap(scene.name, expected, _ask(candidate, scene)))
    if not verdict.masks:
        raise ValueError(f"no object is marked in any of {len(scenes)} scenes: give other scenes, or trained weights")
    if not verdict.accepted:
        verdict.culprits = [
            name
            for name in GRAPHS
            if max(verdict.errors[name].values()) > OUTPUT_ERROR
            or not _agrees_alone(reference, candidate, name, scenes)
        ]
    return verdict


def overlap(name: str, expected: Segmented, found: Segmented) -> Overlap:
    """Compares masks at each photograph's size, before postprocessing drops sprinkles."""
    shape = expected.mask_logits.shape[:2]
    sizes = expected.prepared.image_sizes
    compared = Overlap(name, np.zeros(shape, np.int64), np.zeros(shape, np.int64), sizes.prod(1))
    for index, view in np.ndindex(*shape):
        height, width = (int(side) for side in sizes[view])
        one, other = (
            cv2.resize(logits[index, view].astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0
            for logits in (expected.mask_logits, found.mask_logits)
        )
        union = int((one | other).sum())
        if union >= SPRINKLE * height * width:
            compared.intersections[index, view], compared.unions[index, view] = (one & other).sum(), union
    return compared


def geometry_images(segmenter: Segmenter, scene: CalibrationScene) -> np.ndarray:
    """What π³ sees of a scene, or would where it brings its own geometry: float32 [N, 3, H, W]."""
    prepared = preprocess(
        scene.images,
        scene.prompts,
        encoder_side=segmenter.encoder_side,
        geometry_pixels=segmenter.geometry_pixels,
        limits=segmenter.limits,
    )
    assert prepared.geometry_images is not None
    return prepared.geometry_images


def _agree(scenes: list[Overlap]) -> bool:
    masks, views = (np.concatenate([getattr(scene, name) for scene in scenes]) for name in ("masks", "views"))
    return bool(masks.mean() >= MEAN_IOU and views.min(initial=1.0) >= WORST_IOU)


def _agrees_alone(reference: Segmenter, candidate: Segmenter, name: str, scenes: list[CalibrationScene]) -> bool:
    """Whether the masks stay where one graph of the reference is replaced by the candidate's."""
    sessions = {other: Cast(getattr(candidate if other == name else reference, other)) for other in GRAPHS}
    mixed = _with_sessions(reference, sessions)
    return _agree([overlap(scene.name, _ask(reference, scene), _ask(mixed, scene)) for scene in scenes])


def _ask(segmenter: Segmenter, scene: CalibrationScene) -> Segmented:
    return segmenter.segment(scene.images, scene.prompts, scene.geometry)


def _with_sessions(segmenter: Segmenter, sessions: dict[str, Recorded] | dict[str, Cast]) -> Segmenter:
    return replace(segmenter, **sessions)
