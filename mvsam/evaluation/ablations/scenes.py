"""Scenes with what the frozen image encoder makes of their views: rendered once, encoded once, kept on disk."""

import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from mvsam.evaluation.ablations.variants import PRESET, Scale
from mvsam.networks.image_encoder import ImageFeatures, Sam2ImageEncoder
from mvsam.pipeline.resizing import encoder_image
from mvsam.synthetic import cache
from mvsam.synthetic.scene import Scene, Split

logger = logging.getLogger(__name__)

SIDE = 256  # pixels of a view
STRIDE = 2  # of the pixels whose points and masks are kept
VIEWS = 8
FIRST_TRAINING_SEED, FIRST_HELD_OUT_SEED, FIRST_LONG_SEED = 300_000, 400_000, 500_000
MANIFEST = "encoded.json"


@dataclass(frozen=True)
class EncodedScenes:
    """Scenes and the features of their views.

    Attributes:
        scenes: thinned.
        arrays: of ImageFeatures, each [scenes, views, ...]; may lie on disk.
    """

    scenes: list[Scene]
    arrays: list[np.ndarray]

    def features(self, index: int, views: np.ndarray) -> ImageFeatures:
        """Of some views of a scene, FP32."""
        return ImageFeatures(*(torch.from_numpy(array[index, views].astype(np.float32)) for array in self.arrays))


class Material(NamedTuple):
    """What all runs share."""

    training: EncodedScenes
    held_out: EncodedScenes
    long: EncodedScenes


def prepared(folder: Path, scale: Scale, encoder: Sam2ImageEncoder, digest: str) -> Material:
    """Renders and encodes what is missing.

    Args:
        folder: of scenes and features.
        scale: how many scenes.
        encoder: the frozen one.
        digest: of its weights.
    """
    train, test = Split.TRAIN.value, Split.TEST.value
    recipes = (
        cache.Recipe(train, FIRST_TRAINING_SEED, scale.training_scenes, VIEWS, SIDE, SIDE),
        cache.Recipe(test, FIRST_HELD_OUT_SEED, scale.held_out_scenes, VIEWS, SIDE, SIDE),
        cache.Recipe(test, FIRST_LONG_SEED, scale.long_scenes, scale.long_views, SIDE, SIDE, scenes_per_shard=1),
    )
    return Material(*(prepared_scenes(folder, recipe, encoder, digest) for recipe in recipes))


def prepared_scenes(folder: Path, recipe: cache.Recipe, encoder: Sam2ImageEncoder, digest: str) -> EncodedScenes:
    """Renders and encodes what is missing of one kind of scenes; arguments as for `prepared`."""
    name = f"{recipe.split}-{recipe.first_seed}-{recipe.count}x{recipe.views}-v{recipe.version}"
    scenes, features = folder / "scenes" / name, folder / "features" / digest[:16] / name
    for count in cache.write(scenes, recipe):
        logger.info("%s: %d scenes rendered", name, count)
    if not (features / MANIFEST).is_file():
        _encode(cache.CachedScenes(scenes), features, encoder)
    cached = cache.CachedScenes(scenes)
    arrays = [np.load(features / f"{name}.npy", mmap_mode="r") for name in ImageFeatures._fields]
    return EncodedScenes([thinned(cached[index]) for index in range(len(cached))], arrays)


@torch.inference_mode()
def _encode(scenes: cache.CachedScenes, folder: Path, encoder: Sam2ImageEncoder) -> None:
    """Writes an array for each feature; the manifest, written last, says that they are whole."""
    folder.mkdir(parents=True, exist_ok=True)
    side, views = PRESET.grid_side, scenes.recipe.views
    shapes = ((256, side, side), (32, 4 * side, 4 * side), (64, 2 * side, 2 * side))
    arrays = [
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float16, (len(scenes), views, *shape))
        for name, shape in zip(ImageFeatures._fields, shapes, strict=True)
    ]
    for index in range(len(scenes)):
        images = [encoder_image(image, PRESET.encoder.side) for image in scenes[index].images]
        for view, image in enumerate(images):
            for array, part in zip(arrays, encoder(torch.from_numpy(image)[None]), strict=True):
                array[index, view] = part[0].half().numpy()
        logger.info("%s: scene %d of %d encoded", folder.name, index + 1, len(scenes))
    for array in arrays:
        array.flush()
    temporary = folder / f"{MANIFEST}.tmp"
    temporary.write_text(json.dumps(asdict(scenes.recipe)))
    temporary.replace(folder / MANIFEST)


def thinned(scene: Scene) -> Scene:
    """Every second pixel of every second row, the first ones first; cameras to match."""
    lens = scene.intrinsics.copy()
    lens[:, :2] /= STRIDE
    lens[:, :2, 2] += 0.5 - 0.5 / STRIDE  # the centre of the first pixel stays where it was
    kept = {
        name: np.ascontiguousarray(getattr(scene, name)[:, ::STRIDE, ::STRIDE])
        for name in ("images", "points", "valid", "depth", "objects")
    }
    return replace(scene, intrinsics=lens, **kept)


def with_views(scene: Scene, views: np.ndarray) -> Scene:
    """Some views of a scene, in that order."""
    names = ("images", "points", "valid", "depth", "objects", "camera_poses", "intrinsics")
    return replace(scene, **{name: getattr(scene, name)[views] for name in names})


def turned(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with another heading: points and cameras turned about the vertical."""
    turn = Rotation.from_rotvec([0.0, 0.0, rng.uniform(0, 2 * np.pi)]).as_matrix().astype(np.float32)
    poses = scene.camera_poses.copy()
    poses[:, :3] = turn @ poses[:, :3]
    return replace(scene, points=scene.points @ turn.T, camera_poses=poses)
