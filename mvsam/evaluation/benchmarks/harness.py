"""One method over the scenes of a data set: scene by scene, what is done already left out, failures kept and passed."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mvsam.evaluation.benchmarks.agreement import agreement
from mvsam.evaluation.benchmarks.methods.method import Method
from mvsam.evaluation.benchmarks.prompting import dice
from mvsam.evaluation.benchmarks.results import ObjectResult, Results, SceneResult, encoded
from mvsam.evaluation.benchmarks.scenes import Dataset, DatasetError, Scene
from mvsam.evaluation.benchmarks.scoring import score_view
from mvsam.evaluation.geometry.pointmaps import Pointmaps

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
    dataset: Dataset, method: Method, geometry: Geometry | None, order: Order, results: Results, part: Part
) -> None:
    """Evaluates what is not done yet.

    Args:
        dataset: whose scenes.
        method: that is asked.
        geometry: gives pointmaps; None leaves them to the method.
        order: of the photographs.
        results: where results are kept, open.
        part: the scenes of this process.

    Raises:
        DatasetError: there is no list of scenes.
    """
    scenes = dataset.scenes()[part.index :: part.count]
    missing = [name for name in scenes if not results.is_done(name)]
    began = time.monotonic()
    for done, name in enumerate(missing):
        try:
            result = evaluated(dataset.load(name), method, geometry, order, dataset.name)
        except Exception as error:  # whatever it is, the other scenes are not to blame
            logger.exception("%s, %s", dataset.name, name)
            result = SceneResult({}, f"{type(error).__name__}: {error}")
        results.write(name, result)
        left = (time.monotonic() - began) / (done + 1) * (len(missing) - done - 1)
        said = "failed" if result.error else f"IoU {result.score().iou:.3f}" if _is_scored(result) else "done"
        logger.info("%s, %s: %s; %d of %d, %.0f s left", method.name, name, said, done + 1, len(missing), left)


def _is_scored(result: SceneResult) -> bool:
    return any(view.shows_object for each in result.objects.values() for view in each.views)


def evaluated(scene: Scene, method: Method, geometry: Geometry | None, order: Order, dataset: str) -> SceneResult:
    """Asks about every object of one scene."""
    views = len(scene.photographs)
    taken = np.arange(views)
    if order is Order.SHUFFLED:
        taken = dice(dataset, scene.name, "order").permutation(views)
    place = np.argsort(taken)  # of each view in what the method is given
    photographs = [photograph.read() for photograph in scene.photographs]
    pointmaps = None if geometry is None else geometry(scene, photographs)
    prepared = method.prepare(
        [photographs[view] for view in taken], None if pointmaps is None else pointmaps.of_views(taken.tolist())
    )
    try:
        objects = {}
        for target in scene.targets:
            clicks = [click._replace(view=int(place[click.view])) for click in target.clicks]
            found = prepared.masks(clicks)
            masks = [found[place[view]] for view in range(views)]
            objects[target.name] = ObjectResult(
                target.clicks,
                tuple(score_view(view, masks[view], target.truth[view]()) for view in target.scored),
                tuple(encoded(mask) for mask in masks),
                None if pointmaps is None else agreement(masks, pointmaps),
            )
    finally:
        prepared.close()
    return SceneResult(objects)
