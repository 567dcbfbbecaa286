"""One's own scenes: photographs and masks, with depth and cameras or pointmaps where they are known.

A folder for each scene (or a single scene's folder) holds::

    images/<stem>.jpg           photographs, JPEG, PNG or WebP; their names' order is the order of the views
    masks/<object>/<stem>.png   optional; inside is whatever is neither black nor transparent
    prompts.json                optional: {"<object>": [{"view": "<stem>", "x": 120, "y": 80, "positive": true}, …]}
    depth/<stem>.png            optional, with cameras.json: see `mvsam.evaluation.geometry.rgbd`
    sparse/, stereo/depth_maps  optional: of COLMAP's dense workspace, whose images/ are the photographs
    geometry.npz                optional: points [N, H, W, 3], confidence and valid [N, H, W]; see `training.user_masks`

Objects without prompts are given 10 positive and 2 negative clicks drawn from their masks; all masks are scored.
"""

import json
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mvsam.evaluation.benchmarks.folders import (
    mask_of,
    photograph,
    photographs_in,
    read_mask,
    upright_size,
    visible,
    visible_files,
)
from mvsam.evaluation.benchmarks.prompting import clicks_over_views, dice
from mvsam.evaluation.benchmarks.scenes import Click, DatasetError, Scene, Target
from mvsam.evaluation.geometry.colmap import colmap_pointmaps
from mvsam.evaluation.geometry.pointmaps import GeometryError, Pointmaps
from mvsam.evaluation.geometry.rgbd import rgbd_pointmaps
from mvsam.training.user_masks import read_geometry

ELSEWHERE = "where it was made"
POSITIVES, NEGATIVES = 10, 2


class OwnScenes:
    """The data set.

    Args:
        root: of the scenes' folders, or one such folder.
        seed: of the clicks.
    """

    name = "Own"

    def __init__(self, root: Path, seed: int = 0) -> None:
        self._root, self._seed = root, seed

    @cached_property
    def _folders(self) -> dict[str, Path]:
        folders = [self._root]
        if not (self._root / "images").is_dir():
            folders = [path for path in visible(self._root, ELSEWHERE) if (path / "images").is_dir()]
        if not folders:
            raise DatasetError(
                f"{self._root} holds no scene; give a folder with scene folders that have an images/ folder"
            )
        return {folder.name: folder for folder in folders}

    def scenes(self) -> Sequence[str]:
        """See `Dataset`."""
        return list(self._folders)

    def load(self, scene: str) -> Scene:
        """See `Dataset`."""
        folder = self._folders[scene]
        try:
            return _scene(folder, self._seed)
        except GeometryError as error:
            raise DatasetError(str(error)) from None


def _scene(folder: Path, seed: int) -> Scene:
    files = photographs_in(folder / "images", ELSEWHERE)
    views = {path.stem: view for view, path in enumerate(files)}
    sizes = {view: upright_size(path, ELSEWHERE) for view, path in enumerate(files)}
    pointmaps = _pointmaps(folder, files)
    prompts = _prompts(folder / "prompts.json", views)
    owners = visible(folder / "masks", ELSEWHERE) if (folder / "masks").is_dir() else []
    masks = {owner.name: _masks(owner, files, sizes) for owner in owners if owner.is_dir()}
    targets = []
    for name in sorted({*prompts, *masks}):
        truth = masks.get(name, {})
        clicks = prompts.get(name) or _drawn(folder.name, name, truth, sizes, pointmaps, seed)
        reading = {view: partial(read_mask, path, ELSEWHERE) for view, path in truth.items()}
        targets.append(Target(name, clicks, reading, tuple(reading)))
    if not targets:
        raise DatasetError(f"{folder} names no object; add masks/<object>/<photograph's name>.png or prompts.json")
    photographs = tuple(photograph(path, ELSEWHERE) for path in files)
    return Scene(folder.name, photographs, tuple(targets), None if pointmaps is None else lambda: pointmaps)


def _pointmaps(folder: Path, photographs: Sequence[Path]) -> Pointmaps | None:
    if (folder / "cameras.json").is_file():
        return rgbd_pointmaps(folder, [path.stem for path in photographs])
    if (folder / "stereo" / "depth_maps").is_dir():
        return colmap_pointmaps(folder, [path.name for path in photographs])
    path = folder / "geometry.npz"
    return Pointmaps(read_geometry(path)) if path.is_file() else None


def _masks(folder: Path, files: Sequence[Path], sizes: dict[int, tuple[int, int]]) -> dict[int, Path]:
    views, found = {path.stem: view for view, path in enumerate(files)}, {}
    for path in visible_files(folder, ELSEWHERE):
        if path.stem not in views:
            raise DatasetError(f"{path} belongs to no photograph; name it after a file in images/")
        view = views[path.stem]
        mask_of(files[view], sizes[view], path, ELSEWHERE)  # so that a damaged one is found before any is segmented
        found[view] = path
    return found


def _prompts(path: Path, views: dict[str, int]) -> dict[str, tuple[Click, ...]]:
    if not path.is_file():
        return {}
    try:
        given: dict[str, list[dict[str, Any]]] = json.loads(path.read_bytes())
        return {
            name: tuple(
                Click(views[each["view"]], float(each["x"]), float(each["y"]), bool(each.get("positive", True)))
                for each in clicks
            )
            for name, clicks in given.items()
        }
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DatasetError(
            f"{path} is not as it should be ({type(error).__name__}: {error}); give an object's name and a list of "
            '{"view": "<stem of a photograph>", "x": …, "y": …, "positive": …}'
        ) from None


def _drawn(
    scene: str,
    name: str,
    truth: dict[int, Path],
    sizes: dict[int, tuple[int, int]],
    pointmaps: Pointmaps | None,
    seed: int,
) -> tuple[Click, ...]:
    """Clicks where there is geometry, so that none is refused."""
    masks, elsewhere = {}, {}
    for view, path in truth.items():
        mask = read_mask(path, ELSEWHERE)
        known = np.ones(mask.shape, bool)
        if pointmaps is not None:
            valid = pointmaps.geometry.valid[view].astype(np.uint8)
            known = cv2.resize(valid, mask.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT) > 0
        masks[view], elsewhere[view] = mask & known, ~mask & known
    dices = dice("own", scene, name, seed=seed)
    try:
        return clicks_over_views(masks, sizes, POSITIVES, NEGATIVES, dices, elsewhere)
    except DatasetError as error:
        raise DatasetError(f"scene {scene}, object {name}: {error}") from None
