"""NVOS (Ren et al., 2022): scribbles on one photograph of an LLFF scene, the exact mask of another one.

The annotations (https://jason718.github.io/nvos/) hold, with a folder for each task::

    masks/<task>/<target>.JPG, <target>_mask.png     exact, at a size of its own; inside is what is brighter than 127
    reference_image/<task>/<reference>.JPG           the photograph with the scribbles
    scribbles/<task>/pos_0_*.png, neg_0_*.png        strokes on the object and beside it, at a quarter of its size

Photographs are not among them. They are NeX's undistorted ones (`<scene>_undistort/images`), which the masks belong to,
or the originals (`nerf_llff_data/<scene>/images`, or a folder of smaller copies such as `images_4`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mvsam.evaluation.benchmarks.folders import (
    NUMBERED,
    find_photographs,
    mask_of,
    naming,
    only_file,
    photograph,
    read_mask,
    upright_size,
)
from mvsam.evaluation.benchmarks.prompting import SEED, clicks_in, dice
from mvsam.evaluation.benchmarks.scenes import Click, DatasetError, Scene, Target

SOURCE = "https://jason718.github.io/nvos/"
PHOTOGRAPHS = (
    "https://nex-mpi.github.io (undistorted) or the NeRF authors' nerf_llff_data, https://www.matthewtancik.com/nerf"
)
FOLDERS = ("images", "images_2", "images_4", "images_8")  # the preferred first: most detail, and the names are kept
POSITIVES, NEGATIVES = 8, 2
INSIDE = 127  # from which grey on, exclusively, a mask's pixel is inside


@dataclass(frozen=True)
class _Task:
    """What is asked of one scene.

    Attributes:
        scene: of LLFF.
        places: (views, reference, target): how many photographs there are, and which two are annotated, where smaller
            copies are numbered; None where they keep the names of the originals.
    """

    scene: str
    places: tuple[int, int, int] | None = None


_TASKS = {
    "fern": _Task("fern", (20, 12, 1)),
    "flower": _Task("flower", (34, 21, 0)),
    "fortress": _Task("fortress", (42, 21, 0)),
    "horns_center": _Task("horns"),
    "horns_left": _Task("horns"),
    "leaves": _Task("leaves", (26, 13, 0)),
    "orchids": _Task("orchids", (25, 12, 13)),
    "trex": _Task("trex"),
}


@dataclass(frozen=True)
class Nvos:
    """The data set: 8 clicks from the positive and 2 from the negative scribbles, one scored view a scene.

    Attributes:
        EXCLUDED: tasks that are left out unless they are asked for. The scribbles of orchids cover three of seven
            petals, so the paper does not count it (Appendix A).
        annotations: holds masks/, reference_image/ and scribbles/.
        images: holds a folder for each LLFF scene, all of whose photographs are views; None makes scenes of two views,
            the annotated ones, with the photographs that come with the annotations.
        seed: of the clicks.
        only: tasks to list; None for all that are not excluded.
    """

    annotations: Path
    images: Path | None
    seed: int = SEED
    only: Sequence[str] | None = None

    name = "NVOS"
    EXCLUDED = ("orchids",)

    def scenes(self) -> Sequence[str]:
        """See `Dataset`; whether a scene is complete is found out when it is loaded."""
        listed = [task for task in _TASKS if task not in self.EXCLUDED] if self.only is None else list(self.only)
        for task in listed:
            _known(task)
        for folder in ("masks", "reference_image", "scribbles"):
            if not (self.annotations / folder).is_dir():
                raise DatasetError(f"{self.annotations / folder} is missing; get it from {SOURCE}")
        return listed

    def load(self, scene: str) -> Scene:
        """See `Dataset`."""
        task = _known(scene)
        mask = only_file(self.annotations / "masks" / scene, "*_mask.png", SOURCE)
        target = mask.stem.removesuffix("_mask")
        reference = only_file(self.annotations / "reference_image" / scene, "*.jpg", SOURCE)
        if self.images is None:
            copy = only_file(mask.parent, f"{target.lower()}.jpg", SOURCE)
            source, views = SOURCE, tuple(sorted((reference, copy), key=lambda path: path.name))
            prompted, scored = views.index(reference), views.index(copy)
        else:
            source = PHOTOGRAPHS
            views = find_photographs(self.images, (f"{task.scene}_undistort", task.scene), FOLDERS, source)
            prompted, scored = _annotated(views, reference.stem, target, task)
        if not mask_of(views[scored], upright_size(views[scored], source), mask, SOURCE, INSIDE).any():
            raise DatasetError(f"{mask} has no pixel brighter than {INSIDE}; get it again from {SOURCE}")
        return Scene(
            scene,
            tuple(photograph(path, source) for path in views),
            (
                Target(
                    "object",
                    self._clicks(scene, prompted, views[prompted], source),
                    {scored: partial(read_mask, mask, SOURCE, INSIDE)},
                    (scored,),
                ),
            ),
        )

    def _clicks(self, scene: str, view: int, path: Path, source: str) -> tuple[Click, ...]:
        size, rng = upright_size(path, source), dice(self.name, scene, "object", seed=self.seed)
        clicks: list[Click] = []
        for prefix, count, positive in (("pos", POSITIVES, True), ("neg", NEGATIVES, False)):
            file = only_file(self.annotations / "scribbles" / scene, f"{prefix}_*.png", SOURCE)
            scribble = mask_of(path, size, file, SOURCE)
            with naming(file):
                clicks += clicks_in(view, scribble, count, size, rng, positive=positive)
        return tuple(clicks)


def _known(scene: str) -> _Task:
    if scene not in _TASKS:
        raise DatasetError(f"NVOS has no scene {scene}; choose among {', '.join(_TASKS)}")
    return _TASKS[scene]


def _annotated(views: tuple[Path, ...], reference: str, target: str, task: _Task) -> tuple[int, int]:
    """The views of the reference and of the target."""
    stems = [path.stem for path in views]
    if reference in stems and target in stems:
        return stems.index(reference), stems.index(target)
    if task.places and task.places[0] == len(stems) and all(NUMBERED.fullmatch(stem) for stem in stems):
        return task.places[1:]
    raise DatasetError(
        f"{views[0].parent} lacks the reference {reference} or the target {target} among {len(stems)} photographs; "
        f"get all of the scene {task.scene} from {PHOTOGRAPHS}"
    )
