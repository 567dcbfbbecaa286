"""Scenes whose masks are known: clicks on an object in some of the views, and its masks in the others to judge by."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np

from calibration.scenes import FIRST_SEED, CalibrationScene, encoded, prompts_of
from mvsam.evaluation.questions import PROMPTED_VIEWS, Prompting, Question, ask, scored_views
from mvsam.pipeline.request import Geometry
from mvsam.synthetic.scene import Scene, Split, sample_scene
from mvsam.training.disturbance import Disturbance, disturbed
from mvsam.training.user_masks import UserScene, UserScenes, read_geometry, read_mask

ERRORS = Disturbance(share=1.0, noise=0.1, bend=0.15, views=1)  # as large as those of the demo recipe


@dataclass(frozen=True)
class LabelledScene:
    """A scene with prompts on O objects.

    Attributes:
        scene: as the service is given it.
        masks: of each object, bool [h, w] by view, in views without clicks on it that show it.
    """

    scene: CalibrationScene
    masks: list[dict[int, np.ndarray]]


def synthetic_labelled(
    number: int, *, first_seed: int = FIRST_SEED, views: int = 8, side: int = 256
) -> Iterator[LabelledScene]:
    """Held-out scenes, an object each, whose exact pointmaps are given errors and a confidence that ranks them."""
    return islice(_synthetic(first_seed, views, side), number)


def user_labelled(folder: Path, *, seed: int = 0) -> Iterator[LabelledScene]:
    """The user's own scenes (`mvsam.training.user_masks`), each with every object that two of its views show.

    Args:
        folder: of one scene or of several.
        seed: of the views that are clicked in, and of the clicks.

    Raises:
        ValueError: no scene, a file that is not as it should be, or no object that two views show.
    """
    rng = np.random.default_rng(seed)
    found = False
    for scene in UserScenes.open(folder).scenes:
        if any(len(seen) > 1 for seen in scene.seen.values()):
            found = True
            yield _of_user(scene, rng)
    if not found:
        raise ValueError(f"{folder}: no object is annotated in two views; annotate one in more, to judge masks there")


def _synthetic(first_seed: int, views: int, side: int) -> Iterator[LabelledScene]:
    for seed in count(first_seed):
        scene = sample_scene(seed, Split.TEST, views=views, height=side, width=side)
        rng = np.random.default_rng(seed)
        question = ask(scene, Prompting.TEN_AND_TWO, rng)
        if question is None:
            continue
        masks = scene.mask(question.target)
        wanted = CalibrationScene(f"synthetic {seed}", encoded(scene), prompts_of([question]), _estimated(scene, rng))
        yield LabelledScene(wanted, [{int(v): masks[v] for v in np.flatnonzero(scored_views(scene, question))}])


def _estimated(scene: Scene, rng: np.random.Generator) -> Geometry:
    """Pointmaps as a geometry network might give them, view by view."""
    views = [
        disturbed(Geometry.of(scene.points[[v]], np.ones((1, *scene.depth.shape[1:]), np.float32)), ERRORS, rng)
        for v in range(len(scene.points))
    ]
    return Geometry(*(np.concatenate([vars(view)[name] for view in views]) for name in vars(views[0])))


def _of_user(scene: UserScene, rng: np.random.Generator) -> LabelledScene:
    questions, masks = [], []
    for name, seen in scene.seen.items():
        if len(seen) < 2:
            continue
        shown = {view: read_mask(scene.masks[name][view]) for view in sorted(seen)}
        clicked = rng.permutation(list(shown))[: min(PROMPTED_VIEWS, len(shown) - 1)]
        questions.append(_clicks(len(questions), shown, clicked, rng))
        masks.append({view: mask for view, mask in shown.items() if view not in clicked})
    wanted = CalibrationScene(
        scene.folder.name,
        [path.read_bytes() for path in scene.photographs],
        prompts_of(questions),
        None if scene.geometry is None else read_geometry(scene.geometry),
    )
    return LabelledScene(wanted, masks)


def _clicks(index: int, masks: dict[int, np.ndarray], views: np.ndarray, rng: np.random.Generator) -> Question:
    """The paper's ten clicks on an object and two beside it, view by view in turn."""
    positives, negatives = Prompting.TEN_AND_TWO.value
    clicks = []
    for click in range(positives + negatives):
        view = int(views[click % len(views)])
        region = masks[view] if click < positives or masks[view].all() else ~masks[view]
        row, column = np.unravel_index(rng.choice(np.flatnonzero(region)), region.shape)
        clicks.append((view, row, column, bool(masks[view][row, column])))
    return Question(index, *(np.array(part) for part in zip(*clicks, strict=True)))
