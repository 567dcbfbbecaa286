"""Held-out procedural scenes: families and textures that training never shows, exact geometry and masks."""

import io
from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np
from PIL import Image

from mvsam.evaluation.benchmarks.scenes import Click, DatasetError, Photograph, Scene, Target
from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam.evaluation.questions import Prompting, Question, ask, scored_views
from mvsam.pipeline.request import Geometry
from mvsam.synthetic.scene import Scene as Synthetic
from mvsam.synthetic.scene import Split, sample_scene

FIRST_SEED = 200_000  # of those that nothing was chosen on
VIEWS, SIDE = 8, 256


class SyntheticScenes:
    """The data set; a scene's name is its seed.

    Args:
        count: of scenes.
    """

    name = "Synthetic"

    def __init__(self, count: int = 50) -> None:
        self._count = count

    def scenes(self) -> Sequence[str]:
        """See `Dataset`."""
        return [str(FIRST_SEED + index) for index in range(self._count)]

    def load(self, scene: str) -> Scene:
        """Renders one: one object, 10 positive and 2 negative clicks in two views, the other views scored."""
        seed = int(scene)
        drawn = _drawn(seed)
        question = ask(drawn, Prompting.TEN_AND_TWO, np.random.default_rng(seed))
        if question is None:
            raise DatasetError(f"scene {scene} shows no object in more than two views; leave it out")
        return asked_scene(scene, drawn, question)


@lru_cache(maxsize=64)  # every method is asked about the same ones, and rendering takes longer than answers do
def _drawn(seed: int) -> Synthetic:
    return sample_scene(seed, Split.TEST, views=VIEWS, height=SIDE, width=SIDE)


def asked_scene(name: str, drawn: Synthetic, question: Question) -> Scene:
    """A drawn scene with a question about one of its objects."""
    exact = drawn.mask(question.target)
    clicks = zip(question.views, question.columns, question.rows, question.positive, strict=True)
    target = Target(
        f"{question.target} {drawn.families[question.target]}",
        tuple(Click(int(view), float(x), float(y), bool(positive)) for view, x, y, positive in clicks),
        {view: partial(np.asarray, exact[view]) for view in range(len(exact))},
        tuple(np.flatnonzero(scored_views(drawn, question) | ~exact.any((1, 2))).tolist()),
    )
    photographs = tuple(Photograph(f"{view:05d}", partial(_png, image)) for view, image in enumerate(drawn.images))
    return Scene(name, photographs, (target,), lambda: exact_pointmaps(drawn))


def exact_pointmaps(drawn: Synthetic) -> Pointmaps:
    """As certain everywhere."""
    geometry = Geometry(drawn.points, np.ones(drawn.valid.shape, np.float32), drawn.valid)
    return Pointmaps(geometry, drawn.camera_poses, drawn.intrinsics)


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
