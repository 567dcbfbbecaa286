"""The user's own photographs as calibration scenes. Nobody has clicked on them: clicks are drawn where π³ is sure."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from calibration.scenes import CalibrationScene
from mvsam.networks.presets import Preset
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.frames import Frame
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.photograph_files import photograph_files, visible
from mvsam.pipeline.preprocessing import preprocess
from mvsam.pipeline.request import POSITIVE, Prompts
from mvsam.pipeline.statistics import confidence_threshold
from mvsam.runtime.segmenter import Session

OBJECTS = 2


def photographed_scenes(
    folder: Path, preset: Preset, pi3: Session, *, views: int = 8, seed: int = 0
) -> Iterator[CalibrationScene]:
    """A scene for each folder of photographs: the folder itself, or those in it.

    Args:
        folder: of JPEG, PNG or WebP files, or of such folders.
        preset: sizes that π³ sees photographs at.
        pi3: says which pixels it is sure of; a click for each of two objects falls on one of those.
        views: at most so many of a folder, evenly spread over the files' names.
        seed: of the clicks.

    Raises:
        ValueError: no photographs, or one that the service would refuse; the message names the folder.
    """
    folders = [folder] if _photographs(folder) else [path for path in visible(folder) if _photographs(path)]
    if not folders:
        raise ValueError(f"{folder} holds no photographs: give a folder of JPEG, PNG or WebP files, or of such folders")
    rng = np.random.default_rng(seed)
    for scene in folders:
        files = _photographs(scene)
        chosen = np.linspace(0, len(files) - 1, min(views, len(files))).round().astype(int)
        images = [files[index].read_bytes() for index in chosen]
        try:
            yield CalibrationScene(scene.name, images, _clicks(images, preset, pi3, rng))
        except RequestError as error:
            names = ", ".join(files[index].name for index in chosen)
            raise ValueError(f"{scene}, views {names}: {error}") from None


def _photographs(folder: Path) -> list[Path]:
    return photograph_files(folder) if folder.is_dir() else []


def _clicks(images: list[bytes], preset: Preset, pi3: Session, rng: np.random.Generator) -> Prompts:
    """A positive click for each object, anywhere but on pixels of low confidence."""
    anywhere = Prompts.of([[[0, 0]]], [[POSITIVE]], [[0]])
    prepared = preprocess(
        images,
        anywhere,
        encoder_side=preset.encoder.side,
        geometry_pixels=preset.geometry_pixels,
        limits=Limits(),
    )
    assert prepared.geometry_images is not None
    confidence = pi3.run({"images": prepared.geometry_images})["confidence"]
    frames = Frame.of_views(prepared.image_sizes, prepared.geometry_rects)
    inside = np.zeros(confidence.shape, bool)
    for view, frame in enumerate(frames):
        inside[(view, *frame.extent)] = True
    sure = np.argwhere(inside & (confidence > confidence_threshold(confidence[inside])))
    drawn = rng.choice(sure, OBJECTS)
    points = [[_photograph_pixel(frames[view], row, column)] for view, row, column in drawn]
    return Prompts.of(points, np.full((OBJECTS, 1), POSITIVE), drawn[:, :1])


def _photograph_pixel(frame: Frame, row: int, column: int) -> np.ndarray:
    """(x, y) of the photograph's pixel nearest to a pixel of the geometry."""
    height, width = frame.size
    left, top, w, h = frame.rect
    x, y = (column + 0.5 - left) / w * width - 0.5, (row + 0.5 - top) / h * height - 0.5
    return np.clip(np.round([x, y]), 0, (width - 1, height - 1))
