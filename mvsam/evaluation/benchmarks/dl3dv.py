"""DL3DV (Ling et al., 2024): videos of places, with masks of objects that users bring.

A scene (https://github.com/DL3DV-10K/Dataset) is a folder, named by a hash, with::

    images_4/frame_00001.png, or images_8/    smaller copies of the frames
    transforms.json                           lists the frames of which the camera is known

or has them in its subfolder `colmap` or `nerfstudio`. The cameras are not read: pointmaps are estimated. Where there is
no transforms.json, every picture of the folder is a frame.

The authors of the paper painted their masks themselves, with the SAM 2 demo, and have not released them. Masks are read
from `<hash>/masks/<object>/frame_00001.png`, or from a tree of their own, `<hash>/<object>/frame_00001.png`. Inside is
whatever is neither black nor transparent. A frame without a file is not annotated for the object; an all-black file
says that the object is not seen there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from mvsam.evaluation.benchmarks.folders import (
    mask_of,
    naming,
    photograph,
    photographs_in,
    read_json,
    read_mask,
    upright_size,
    visible,
    visible_files,
)
from mvsam.evaluation.benchmarks.frames import evenly
from mvsam.evaluation.benchmarks.prompting import SEED, clicks_over_views, dice
from mvsam.evaluation.benchmarks.scenes import DatasetError, Scene, Target

SOURCE = "https://github.com/DL3DV-10K/Dataset"
PAINTED = "where it was painted: masks of DL3DV are not released"
PAINT = "masks are not released: paint them, as with the SAM 2 demo, and save them as <hash>/masks/<object>/<frame>.png"
FOLDERS = ("images_4", "images_8")  # the preferred first; the originals are larger than a segmenter can make use of
POSITIVES, NEGATIVES = 10, 2


@dataclass(frozen=True)
class Dl3dv:
    """The data set: 10 clicks on and 2 beside each object, over all views; every view with a mask is scored.

    Attributes:
        root: holds the scenes' folders.
        masks: holds `<hash>/<object>/<frame>.png`; None where masks are in the scenes' own folders.
        frames: how many are views, at most, equally far apart in the video.
        seed: of the clicks.
    """

    root: Path
    masks: Path | None = None
    frames: int = 100
    seed: int = SEED

    name = "DL3DV"

    def scenes(self) -> Sequence[str]:
        """See `Dataset`: the scenes with masks."""
        folder = self.root if self.masks is None else self.masks
        found = [path.name for path in visible(folder, SOURCE) if self._masks(path.name).is_dir()]
        if not found:
            raise DatasetError(f"{folder} holds no scene with masks; {PAINT}")
        return found

    def load(self, scene: str) -> Scene:
        """See `Dataset`."""
        listed, views = self._views(scene)
        folder = self._masks(scene)
        owners = [path for path in visible(folder, PAINTED) if path.is_dir()]
        if not owners:
            raise DatasetError(f"{folder} holds no folder of an object; {PAINT}")
        return Scene(
            scene,
            tuple(photograph(path, SOURCE) for path in views),
            tuple(self._target(scene, owner, views, listed) for owner in owners),
        )

    def _masks(self, scene: str) -> Path:
        return self.root / scene / "masks" if self.masks is None else self.masks / scene

    def _views(self, scene: str) -> tuple[frozenset[str], tuple[Path, ...]]:
        """Stems of all frames, and files of those that are views."""
        home = self.root / scene
        candidates = [base / name for base in (home, home / "colmap", home / "nerfstudio") for name in FOLDERS]
        folder = next((path for path in candidates if path.is_dir()), None)
        if folder is None:
            raise DatasetError(f"{home} has no folder {' or '.join(FOLDERS)}; get it from {SOURCE}")
        listing = folder.parent / "transforms.json"
        names = _frames(listing) if listing.is_file() else [path.name for path in photographs_in(folder, SOURCE)]
        views = tuple(folder / name for name in evenly(names, self.frames))
        for path in views:
            if not path.is_file():
                raise DatasetError(f"{path} is missing, which transforms.json lists; get it from {SOURCE}")
        return frozenset(Path(name).stem for name in names), views

    def _target(self, scene: str, owner: Path, views: tuple[Path, ...], listed: frozenset[str]) -> Target:
        places = {path.stem: view for view, path in enumerate(views)}
        truth: dict[int, Path] = {}
        for path in visible_files(owner, PAINTED):
            if path.suffix.lower() != ".png" or path.stem not in listed:
                raise DatasetError(
                    f"{path} belongs to no frame of the scene; name it after one, such as {views[0].name}"
                )
            if path.stem in places:
                truth[places[path.stem]] = path
        sizes = {view: upright_size(views[view], SOURCE) for view in truth}
        masks = {view: mask_of(views[view], sizes[view], path, PAINTED) for view, path in truth.items()}
        rng = dice(self.name, scene, owner.name, seed=self.seed)
        with naming(owner):
            clicks = clicks_over_views(masks, sizes, POSITIVES, NEGATIVES, rng)
        return Target(
            owner.name,
            clicks,
            {view: partial(read_mask, path, PAINTED) for view, path in truth.items()},
            tuple(sorted(truth)),
        )


def _frames(path: Path) -> list[str]:
    """Names of the frames' files, in the video's order."""
    content = read_json(path, SOURCE)
    try:
        names = {PurePosixPath(frame["file_path"]).name for frame in content["frames"]}
    except (KeyError, TypeError):
        names = set()
    if not names:
        raise DatasetError(f"{path} lists no frames, each with a file_path; get it again from {SOURCE}")
    return sorted(names)
