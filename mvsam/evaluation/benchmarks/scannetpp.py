"""ScanNet++ (Yeshwanth et al., 2023): rooms in hundreds of photographs, with objects annotated on a mesh.

Two folders: the data set as downloaded, and masks that its toolkit has made of the mesh (semantic.prep.rasterize, then
semantic.prep.semantics_2d)::

    <root>/splits/<split>.txt                                   ids of the scenes
    <root>/data/<scene>/scans/segments_anno.json                labels of the objects
    <root>/data/<scene>/dslr/resized_images/DSC00001.JPG        fisheye photographs
    <masks>/obj_ids/<scene>/DSC00001.JPG.pth                    object id of each pixel
    <masks>/undistorted/<scene>/DSC00001.JPG.jpg                photographs without the fisheye's distortion

Which photographs belong to the ids depends on how these were made. Those under `undistorted/` are taken where the scene
has a folder there, the fisheye's otherwise: then the ids must have been made with `undistort_dslr: false`, which their
sizes do not tell.

What the paper leaves open is settled so: frames lie at equal distances among those that have ids, in the order of their
names, whether the data set counts them to its training or its test photographs; objects are drawn among those that fill
`LEAST_SHARE` of at least `LEAST_VIEWS` of the frames and whose label is not among `NO_OBJECTS`. A frame in which the
object fills less than that share, but is seen, is not scored. One in which it is not seen is: whatever is marked there
strays. Clicks lie in frames that show enough of it. The data's depth and cameras are not read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mvsam.evaluation.benchmarks.folders import (
    check_shapes,
    naming,
    photograph,
    read_json,
    upright_size,
    visible_files,
)
from mvsam.evaluation.benchmarks.frames import evenly
from mvsam.evaluation.benchmarks.prompting import SEED, clicks_over_views, dice
from mvsam.evaluation.benchmarks.scannetpp_ids import TOOLKIT, read_ids
from mvsam.evaluation.benchmarks.scenes import DatasetError, Scene, Target

SOURCE = "https://kaldir.vc.in.tum.de/scannetpp/"
LEAST_SHARE = 0.001  # of a view's pixels
LEAST_VIEWS = 2  # one to click on, one to find the object again
POSITIVES, NEGATIVES = 10, 2  # clicks on an object
# What encloses the room, and how annotators marked segments that are to be ignored.
NO_OBJECTS = frozenset({"", "wall", "floor", "ceiling", "ceil", "split", "remove", "unlabelled", "unlabeled"})
_MOST_IDS = 2**16  # far more than any scene has


@dataclass(frozen=True)
class _View:
    """One frame: files of its ids and photograph, and (height, width) of both."""

    ids: Path
    photograph: Path
    ids_size: tuple[int, int]
    size: tuple[int, int]

    def mask(self, number: int) -> np.ndarray:
        """Of one object, bool [h, w]."""
        return read_ids(self.ids) == number


@dataclass(frozen=True)
class ScanNetPP:
    """The data set: 10 clicks on and 2 beside each object, over the views that show enough of it.

    Attributes:
        root: of the download, with data/ and splits/.
        masks: what the toolkit has written, with obj_ids/.
        undistorted: folders of undistorted photographs, one a scene; None for undistorted/ beside obj_ids/.
        split: whose scenes.
        frames: how many of a scene are views, at most.
        objects: of a scene, at most.
        seed: of the objects and clicks.
    """

    root: Path
    masks: Path
    undistorted: Path | None = None
    split: str = "nvs_sem_val"
    frames: int = 100
    objects: int = 5
    seed: int = SEED

    name = "ScanNet++"

    def scenes(self) -> Sequence[str]:
        """See `Dataset`; as the split lists them."""
        path = self.root / "splits" / f"{self.split}.txt"
        try:
            found = path.read_text(encoding="utf-8-sig").split()
        except (OSError, UnicodeDecodeError):
            raise DatasetError(f"{path} is missing or no text; get it from {SOURCE}") from None
        if not found:
            raise DatasetError(f"{path} lists no scene; get it again from {SOURCE}")
        return found

    def load(self, scene: str) -> Scene:
        """See `Dataset`; each file of ids is read once, and again whenever one of its masks is asked for."""
        labels = read_labels(self.root / "data" / scene / "scans" / "segments_anno.json")
        most = max(labels, default=0)
        views, counts = [], []
        for path in self._files_of_ids(scene):
            ids = read_ids(path)
            views.append(self._view(scene, path, (ids.shape[0], ids.shape[1])))
            counts.append(np.bincount(np.clip(ids, 0, most + 1).ravel().astype(np.intp), minlength=most + 2))
        pixels = np.stack(counts)  # by view and object
        enough = pixels >= LEAST_SHARE * pixels.sum(1, keepdims=True)
        candidates = [number for number in sorted(labels) if enough[:, number].sum() >= LEAST_VIEWS]
        if not candidates:
            raise DatasetError(
                f"{self.masks / 'obj_ids' / scene} shows no object that fills {LEAST_SHARE:.1%} of {LEAST_VIEWS} of "
                f"{len(views)} views; get it again, of the same release of the data, from {TOOLKIT}"
            )
        drawn = dice(self.name, scene, seed=self.seed).permutation(candidates)[: self.objects]
        return Scene(
            scene,
            tuple(photograph(view.photograph, SOURCE) for view in views),
            tuple(
                self._target(scene, number, labels[number], views, pixels[:, number] > 0, enough[:, number])
                for number in sorted(drawn.tolist())
            ),
        )

    def _files_of_ids(self, scene: str) -> list[Path]:
        """Those that are views, by name, which is the order in which the photographs were taken."""
        folder = self.masks / "obj_ids" / scene
        found = [path for path in visible_files(folder, TOOLKIT) if path.suffix == ".pth"]
        if not found:
            raise DatasetError(f"{folder} holds no .pth files of object ids; get them from {TOOLKIT}")
        return evenly(found, self.frames)

    def _view(self, scene: str, ids: Path, ids_size: tuple[int, int]) -> _View:
        undistorted = (self.undistorted or self.masks / "undistorted") / scene
        if self.undistorted is not None or undistorted.is_dir():
            path, source = undistorted / f"{ids.stem}.jpg", f"{TOOLKIT}, with save_undistorted_images: true"
        else:
            path, source = self.root / "data" / scene / "dslr" / "resized_images" / ids.stem, SOURCE
        size = upright_size(path, source)
        check_shapes(ids, ids_size, path, size, TOOLKIT)
        return _View(ids, path, ids_size, size)

    def _target(
        self, scene: str, number: int, label: str, views: Sequence[_View], seen: np.ndarray, enough: np.ndarray
    ) -> Target:
        """One object; `seen` and `enough`, bool [N], say whether and how well."""
        name = f"{number} {label}"
        masks = {view: each.mask(number) for view, each in enumerate(views) if enough[view]}
        sizes = {view: views[view].size for view in masks}
        with naming(self.masks / "obj_ids" / scene):
            clicks = clicks_over_views(masks, sizes, POSITIVES, NEGATIVES, dice(self.name, scene, name, seed=self.seed))
        truth: dict[int, Callable[[], np.ndarray]] = {view: partial(views[view].mask, number) for view in masks}
        truth |= {view: partial(np.zeros, each.ids_size, bool) for view, each in enumerate(views) if not seen[view]}
        return Target(name, clicks, truth, tuple(sorted(truth)))


def read_labels(path: Path) -> Mapping[int, str]:
    """Object id to label, for what is an object.

    Args:
        path: of segments_anno.json.

    Raises:
        DatasetError: the file is missing, damaged, or of another form.
    """
    content = read_json(path, SOURCE)
    try:
        found = {group["objectId"]: group["label"].strip() for group in content["segGroups"]}
    except (KeyError, TypeError, AttributeError):
        raise DatasetError(f"{path} lists no objects with objectId and label; get it again from {SOURCE}") from None
    for number in found:
        if type(number) is not int or number >= _MOST_IDS:
            raise DatasetError(f"{path} has an objectId of {number!r}; get it again from {SOURCE}")
    return {number: label for number, label in found.items() if number > 0 and label.lower() not in NO_OBJECTS}
