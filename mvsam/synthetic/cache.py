"""Rendered scenes on disk: compressed shards, written in one piece, so that a killed run goes on where it stopped.

Points are not stored: they follow from depth, pose and intrinsics to within rounding.
"""

import json
import os
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from mvsam.synthetic.scene import Baseline, Scene, Split, render_batch

VERSION = 2  # of the generator and the format: scenes of another version are not mixed with these
MANIFEST = "manifest.json"
STORED = ("images", "depth", "objects", "camera_poses", "intrinsics", "families")


@dataclass(frozen=True)
class Recipe:
    """What decides every byte of a cache."""

    split: str
    first_seed: int
    count: int
    views: int
    height: int
    width: int
    baseline: str = Baseline.ANY.name
    scenes_per_shard: int = 16
    version: int = VERSION

    @property
    def shards(self) -> int:
        """How many shards there are; the last may be shorter."""
        return -(-self.count // self.scenes_per_shard)

    def seeds(self, shard: int) -> list[int]:
        """Seeds of a shard's scenes."""
        start = shard * self.scenes_per_shard
        return [self.first_seed + i for i in range(start, min(start + self.scenes_per_shard, self.count))]


class RecipeMismatchError(ValueError):
    """The folder holds scenes of another recipe."""


def write(folder: Path, recipe: Recipe, *, workers: int = 1, device: str = "cpu") -> Iterator[int]:
    """Renders the shards that are missing; yields the number of scenes of each as it is done.

    Raises:
        RecipeMismatchError: the folder was begun with another recipe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / MANIFEST
    if manifest.exists():
        if Recipe(**json.loads(manifest.read_text())) != recipe:
            message = f"{folder} holds scenes of another recipe ({manifest}); give another folder or delete this one"
            raise RecipeMismatchError(message)
    else:
        _in_one_piece(manifest, json.dumps(asdict(recipe), indent=2).encode())
    missing = [shard for shard in range(recipe.shards) if not _path(folder, shard).exists()]
    job = partial(_write_shard, folder, recipe, device)
    if workers == 1:
        yield from map(job, missing)
        return
    # Forked processes would inherit the thread pools of this one.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(job, missing)


class CachedScenes:
    """The scenes of a cache, read one at a time; indices follow the seeds."""

    def __init__(self, folder: Path) -> None:
        """Opens a cache; scenes of shards that are not there yet are left out.

        Raises:
            FileNotFoundError: the folder is not a cache.
        """
        self._folder = folder
        self.recipe = Recipe(**json.loads((folder / MANIFEST).read_text()))
        shards = [shard for shard in range(self.recipe.shards) if _path(folder, shard).exists()]
        self._places = [(shard, i) for shard in shards for i in range(len(self.recipe.seeds(shard)))]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Scene:
        shard, place = self._places[index]
        with np.load(_path(self._folder, shard)) as stored:
            fields = {name: stored[f"{place:04d}/{name}"] for name in STORED}
        objects = fields["objects"].astype(np.int32)
        points = unproject(fields["depth"], fields["camera_poses"], fields["intrinsics"])
        return Scene(
            images=fields["images"],
            points=points,
            valid=np.ones(objects.shape, bool),
            depth=fields["depth"],
            objects=objects,
            camera_poses=fields["camera_poses"],
            intrinsics=fields["intrinsics"],
            families=tuple(str(name) for name in fields["families"]),
        )


def is_cache(folder: Path) -> bool:
    """Returns whether a folder holds a cache of scenes."""
    return (folder / MANIFEST).is_file()


def in_memory(folder: Path) -> list[Scene]:
    """A cache's scenes, decompressed once: 1.6 MB a view of 256².

    Raises:
        FileNotFoundError: the folder is not a cache.
    """
    cached = CachedScenes(folder)
    return [cached[index] for index in range(len(cached))]


def unproject(depth: np.ndarray, camera_poses: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """World points float32 [N, H, W, 3] of depth maps [N, H, W]."""
    _, height, width = depth.shape
    v, u = np.mgrid[:height, :width].astype(np.float32) + np.float32(0.5)
    k = intrinsics[:, :, :, None, None]
    rays = np.stack([(u - k[:, 0, 2]) / k[:, 0, 0], (v - k[:, 1, 2]) / k[:, 1, 1], np.ones_like(depth)], axis=-1)
    camera = rays * depth[..., None]
    return np.einsum("nij,nhwj->nhwi", camera_poses[:, :3, :3], camera) + camera_poses[:, None, None, :3, 3]


def _write_shard(folder: Path, recipe: Recipe, device: str, shard: int) -> int:
    seeds = recipe.seeds(shard)
    rendered = render_batch(
        seeds,
        Split(recipe.split),
        views=recipe.views,
        height=recipe.height,
        width=recipe.width,
        baseline=Baseline[recipe.baseline],
        device=device,
    )
    arrays: dict[str, np.ndarray] = {}
    for place in range(len(seeds)):
        scene = rendered.scene(place)
        for name in STORED:
            arrays[f"{place:04d}/{name}"] = np.asarray(getattr(scene, name))
        arrays[f"{place:04d}/objects"] = scene.objects.astype(np.int8)
    path = _path(folder, shard)
    partial_path = path.with_suffix(f".{os.getpid()}.partial")
    with zipfile.ZipFile(partial_path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    partial_path.replace(path)
    return len(seeds)


def _path(folder: Path, shard: int) -> Path:
    return folder / f"{shard:06d}.npz"


def _in_one_piece(path: Path, content: bytes) -> None:
    partial_path = path.with_suffix(f".{os.getpid()}.partial")
    partial_path.write_bytes(content)
    partial_path.replace(path)
