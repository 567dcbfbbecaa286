"""A user's own scenes with masks in several views, to fine-tune on.

A folder for each scene (or a single scene's folder) holds::

    images/<stem>.jpg           photographs, JPEG, PNG or WebP; their names' order is the order of the views
    masks/<object>/<stem>.png   as large as its upright photograph; inside is whatever is neither black nor transparent
    geometry.npz                optional: points [N, H, W, 3], confidence and valid [N, H, W] (either may be missing)

A view without a file for an object is not annotated for it; an all-black file says that the object is not seen there.
"""

import random
import zipfile
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.lib.npyio import NpzFile

from mvsam.pipeline.geometry_checks import check_geometry
from mvsam.pipeline.headers import Format, read_header
from mvsam.pipeline.images import decode_photograph
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.photograph_files import photograph_files, visible, visible_files
from mvsam.pipeline.request import Geometry
from mvsam.training.example import Example, Part
from mvsam.training.skipped import Skipped


@dataclass(frozen=True)
class UserScene:
    """A scene on disk, checked.

    Attributes:
        folder: of the scene.
        photographs: files of the V views.
        masks: object to view to file, for what is annotated.
        seen: object to the views in which its mask has pixels.
        geometry: file with pointmaps of all views, or None.
    """

    folder: Path
    photographs: tuple[Path, ...]
    masks: dict[str, dict[int, Path]]
    seen: dict[str, frozenset[int]]
    geometry: Path | None


@dataclass(frozen=True)
class UserScenes:
    """Scenes as training examples; every view in which an object is seen has its turn as the first view.

    Attributes:
        scenes: see `open`.
        views: at most so many an example; the further ones are drawn once for each first view, so that what frozen
            networks make of them can be kept.
        seed: of the order and of the views drawn.
        part: whose places these are.
        skipped: views without an object that could be clicked on, as whoever uses the examples finds.
    """

    scenes: tuple[UserScene, ...]
    views: int = 8
    seed: int = 0
    part: Part = field(default_factory=Part)
    skipped: Skipped = field(default_factory=Skipped)

    @classmethod
    def open(cls, *folders: Path, **options: Any) -> "UserScenes":
        """Reads and checks everything, so that training does not end hours later at a file that does not fit.

        Raises:
            ValueError: no scene, or the first file that is not as it should be, and the remedy.
        """
        return cls(tuple(_read_scene(path) for folder in folders for path in _scene_folders(folder)), **options)

    def without(self, other: "UserScenes") -> "UserScenes":
        """These scenes but those of another, so that what is validated on is not trained on.

        Raises:
            ValueError: none is left.
        """
        excluded = {scene.folder.resolve() for scene in other.scenes}
        left = tuple(scene for scene in self.scenes if scene.folder.resolve() not in excluded)
        if not left:
            raise ValueError("every scene is held out; hold out fewer, or give others to train on")
        return replace(self, scenes=left)

    @property
    def lacks_geometry(self) -> bool:
        """Whether pointmaps of some scene are to be estimated."""
        return any(scene.geometry is None for scene in self.scenes)

    def count_photographs(self) -> int:
        """How many all examples of an epoch hold together."""
        return sum(min(self.views, len(scene.photographs)) for scene, _ in self._places())

    def examples(self, epoch: int = 0, start: int = 0) -> Generator[Example, None, None]:
        """This part's examples of an epoch, from the place `start` on."""
        places = self._places()
        random.Random(f"{self.seed} {epoch}").shuffle(places)
        for place, (scene, first) in self.part.of(places, start):
            others = [view for view in range(len(scene.photographs)) if view != first]
            dice = random.Random(f"{self.seed} {scene.folder.name} {first}")
            yield _example(scene, [first, *dice.sample(others, min(len(others), self.views - 1))], place)

    def _places(self) -> list[tuple[UserScene, int]]:
        """Each scene and first view."""
        return [(scene, view) for scene in self.scenes for view in sorted(frozenset[int]().union(*scene.seen.values()))]


def _example(scene: UserScene, views: list[int], place: int) -> Example:
    files = [scene.photographs[view] for view in views]
    photographs = [decode_photograph(file.read_bytes(), str(file)) for file in files]
    objects = [name for name, seen in scene.seen.items() if views[0] in seen]

    def masks(index: int) -> np.ndarray:
        size = photographs[index].shape[:2]
        files = [scene.masks[name].get(views[index]) for name in objects]
        return np.stack([np.zeros(size, bool) if file is None else read_mask(file) for file in files])

    geometry = None if scene.geometry is None else read_geometry(scene.geometry)
    several = len(views) > 1
    return Example(
        key=f"{scene.folder.name}/{','.join(file.stem for file in files)}",
        photographs=photographs,
        masks=masks(0),
        geometry=geometry and Geometry(geometry.points[views], geometry.confidence[views], geometry.valid[views]),
        further_masks=[masks(index) for index in range(1, len(views))],
        annotated=np.array([[view in scene.masks[name] for view in views] for name in objects]) if several else None,
        place=place,
    )


def _scene_folders(folder: Path) -> list[Path]:
    if (folder / "images").is_dir():
        return [folder]
    folders = [path for path in visible(folder) if (path / "images").is_dir()] if folder.is_dir() else []
    if not folders:
        raise ValueError(f"{folder} holds no scene; give a folder with scene folders that have an images/ folder")
    return folders


def _read_scene(folder: Path) -> UserScene:
    photographs = tuple(photograph_files(folder / "images"))
    if not photographs:
        raise ValueError(f"{folder / 'images'} holds no photograph; put JPEG, PNG or WebP files there")
    views: dict[str, int] = {}
    for view, path in enumerate(photographs):
        if path.stem in views:
            raise ValueError(f"{path} and {photographs[views[path.stem]].name} share a stem; rename one of them")
        views[path.stem] = view
    sizes = [_photograph_size(path) for path in photographs]

    masks: dict[str, dict[int, Path]] = {}
    seen: dict[str, frozenset[int]] = {}
    for owner in visible(folder / "masks") if (folder / "masks").is_dir() else []:
        if not owner.is_dir():
            raise ValueError(f"{owner} is no folder; put each object's masks in a folder of its own under masks/")
        masks[owner.name] = {}
        painted = set()
        for path in visible_files(owner):
            if path.stem not in views:
                raise ValueError(f"{path} belongs to no photograph; name it after a file in {folder / 'images'}")
            view = views[path.stem]
            mask = read_mask(path)
            if mask.shape != sizes[view]:
                raise ValueError(
                    f"{path} is {mask.shape[1]}x{mask.shape[0]}, its photograph {sizes[view][1]}x{sizes[view][0]}; "
                    "save the mask at the upright photograph's size"
                )
            masks[owner.name][view] = path
            if mask.any():
                painted.add(view)
        seen[owner.name] = frozenset(painted)
    if not any(seen.values()):
        raise ValueError(
            f"{folder / 'masks'} holds no mask with pixels; add masks/<object>/<photograph's name>.png with the object "
            "in any colour but black"
        )
    geometry = folder / "geometry.npz"
    if geometry.exists():
        _check_geometry(geometry, len(photographs))
    return UserScene(folder, photographs, masks, seen, geometry if geometry.exists() else None)


def _photograph_size(path: Path) -> tuple[int, int]:
    """(height, width) of an upright photograph that can be decoded."""
    data = path.read_bytes()
    height, width = read_header(data, str(path)).size
    if height * width > Limits.max_image_pixels:
        raise ValueError(
            f"{path} has {width}x{height} pixels, more than the {Limits.max_image_pixels} allowed; save it smaller"
        )
    decode_photograph(data, str(path))
    return height, width


def read_mask(path: Path) -> np.ndarray:
    """bool [h, w]; may be empty, unlike a mask prompt."""
    data = path.read_bytes()
    header = read_header(data, str(path))
    if header.format is not Format.PNG:
        raise ValueError(f"{path} is a {header.format.value}; save it as PNG, which keeps its edges")
    if header.stored_width * header.stored_height > Limits.max_image_pixels:
        raise ValueError(f"{path} has more than the {Limits.max_image_pixels} pixels allowed; save it smaller")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ValueError(f"{path} is a truncated or damaged PNG; save it anew")
    if picture.ndim == 2:
        return picture > 0
    inside = (picture[..., :3] > 0).any(axis=2)
    return inside & (picture[..., 3] > 0) if picture.shape[2] == 4 else inside


def _check_geometry(path: Path, views: int) -> None:
    try:
        check_geometry(read_geometry(path), views)
    except KeyError as error:
        raise ValueError(f"{path} lacks an array: {error}; save points [views, height, width, 3] there") from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: {error}; save it with numpy.savez, one pointmap a photograph") from None


def read_geometry(path: Path) -> Geometry:
    """A scene's pointmaps, as sure everywhere where the file does not say how sure."""
    with path.open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        if not isinstance(arrays, NpzFile):
            raise ValueError("a single array without a name")
        points = arrays["points"]
        confidence = arrays["confidence"] if "confidence" in arrays else np.ones(points.shape[:3], np.float32)
        return Geometry.of(points, confidence, arrays.get("valid"))
