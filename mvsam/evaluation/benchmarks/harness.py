"""One method over the scenes of a data set: scene by scene, what is done already left out, failures kept and passed."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from mvsam.evaluation.benchmarks.agreement import agreement
from mvsam.evaluation.benchmarks.corrections import corrections
from mvsam.evaluation.benchmarks.methods.method import Method, Prepared, Refining
from mvsam.evaluation.benchmarks.prompting import dice
from mvsam.evaluation.benchmarks.results import ObjectResult, Results, SceneResult, encoded
from mvsam.evaluation.benchmarks.scenes import Click, Dataset, DatasetError, Scene
from mvsam.evaluation.benchmarks.scoring import score_view
from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam.pipeline.headers import read_header

logger = logging.getLogger(__name__)
Geometry = Callable[[Scene, Sequence[bytes]], Pointmaps]


class Order(StrEnum):
    """In which order a method is given the photographs (the paper's Table 1)."""

    VIDEO = "video"  # as they were taken
    SHUFFLED = "shuffled"  # by chance, the same for every method


@dataclass(frozen=True)
class Part:
    """Which scenes are this process's: every `count`-th from `index` on."""

    index: int = 0
    count: int = 1


def from_data(scene: Scene, _photographs: Sequence[bytes]) -> Pointmaps:
    """The geometry that comes with the data.

    Raises:
        DatasetError: none does.
    """
    if scene.pointmaps is None:
        raise DatasetError(f"scene {scene.name} comes without geometry; choose another --geometry")
    return scene.pointmaps()


def run(
    dataset: Dataset,
    method: Method,
    geometry: Geometry | None,
    order: Order,
    results: Results,
    part: Part,
    corrective_clicks: int = 0,
) -> None:
    """Evaluates what is not done yet.

    Args:
        dataset: whose scenes.
        method: that is asked.
        geometry: gives pointmaps; None leaves them to the method.
        order: of the photographs.
        results: where results are kept, open.
        part: the scenes of this process.
        corrective_clicks: how often each object is clicked on, besides being asked about as the data set has it.

    Raises:
        DatasetError: there is no list of scenes.
    """
    scenes = dataset.scenes()[part.index :: part.count]
    missing = [name for name in scenes if not results.is_done(name)]
    began = time.monotonic()
    for done, name in enumerate(missing):
        try:
            result = evaluated(dataset.load(name), method, geometry, order, dataset.name, corrective_clicks)
        except Exception as error:  # whatever it is, the other scenes are not to blame
            logger.exception("%s, %s", dataset.name, name)
            result = SceneResult({}, f"{type(error).__name__}: {error}")
        results.write(name, result)
        left = (time.monotonic() - began) / (done + 1) * (len(missing) - done - 1)
        said = "failed" if result.error else f"IoU {result.score().iou:.3f}" if _is_scored(result) else "done"
        logger.info("%s, %s: %s; %d of %d, %.0f s left", method.name, name, said, done + 1, len(missing), left)


def _is_scored(result: SceneResult) -> bool:
    return any(view.shows_object for each in result.objects.values() for view in each.views)


def evaluated(
    scene: Scene, method: Method, geometry: Geometry | None, order: Order, dataset: str, corrective_clicks: int = 0
) -> SceneResult:
    """Asks about every object of one scene."""
    views = len(scene.photographs)
    taken = np.arange(views)
    if order is Order.SHUFFLED:
        taken = dice(dataset, scene.name, "order").permutation(views)
    photographs = [photograph.read() for photograph in scene.photographs]
    sizes = [read_header(data, each.name).size for data, each in zip(photographs, scene.photographs, strict=True)]
    pointmaps = None if geometry is None else geometry(scene, photographs)
    prepared = method.prepare(
        [photographs[view] for view in taken], None if pointmaps is None else pointmaps.of_views(taken.tolist())
    )
    valid = None if pointmaps is None else pointmaps.geometry.valid
    place = np.argsort(taken)
    asked = _RefiningInOrder(prepared, place) if isinstance(prepared, Refining) else _InOrder(prepared, place)
    try:
        objects = {}
        for target in scene.targets:
            masks = asked.masks(target.clicks)
            objects[target.name] = ObjectResult(
                target.clicks,
                tuple(score_view(view, masks[view], target.truth[view]()) for view in target.scored),
                tuple(encoded(mask) for mask in masks),
                None if pointmaps is None else agreement(masks, pointmaps),
                corrections(asked, target, sizes, valid, corrective_clicks) if corrective_clicks else {},
            )
    finally:
        prepared.close()
    return SceneResult(objects)


@dataclass(frozen=True)
class _InOrder:
    """A prepared scene that is asked about views as the data set counts them.

    Attributes:
        prepared: given the photographs in whatever order.
        place: int [N], of each view in that order.
    """

    prepared: Prepared
    place: np.ndarray

    def masks(self, clicks: Sequence[Click]) -> list[np.ndarray]:
        """See `Prepared`."""
        return self._back(self.prepared.masks(self._there(clicks)))

    def close(self) -> None:
        """See `Prepared`."""
        self.prepared.close()

    def _there(self, clicks: Sequence[Click]) -> list[Click]:
        return [click._replace(view=int(self.place[click.view])) for click in clicks]

    def _back(self, masks: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [masks[place] for place in self.place]


@dataclass(frozen=True)
class _RefiningInOrder(_InOrder):
    """One whose answers can be fed back."""

    prepared: Refining

    def refined(self, clicks: Sequence[Click], former: Any) -> tuple[list[np.ndarray], Any]:
        """See `Refining`."""
        masks, answer = self.prepared.refined(self._there(clicks), former)
        return self._back(masks), answer
