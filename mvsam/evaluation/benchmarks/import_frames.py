"""RGB-D frames of others as scenes in the layout of `own`: YCB-Video sequences, and the example room of π³'s authors.

python -m mvsam.evaluation.benchmarks.import_frames ycb-video FOLDER --output DIR
python -m mvsam.evaluation.benchmarks.import_frames pi3-room FOLDER --output DIR
"""

import argparse
import logging
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mvsam.evaluation.benchmarks.scenes import DatasetError
from mvsam.pipeline.photograph_files import visible_files
from mvsam.runtime.artifacts import write_json

logger = logging.getLogger(__name__)

COLOUR = "-color.png"
MILLIMETRE = 0.001
# Two pieces of furniture that the first three views of the room show; nobody has painted their masks.
ROOM_PROMPTS = {
    "table": [("0", 393, 238, True), ("1", 339, 203, True), ("0", 220, 110, False), ("1", 300, 320, False)],
    "sofa": [("0", 388, 205, True), ("1", 330, 166, True), ("0", 220, 110, False), ("1", 339, 203, False)],
}


def import_ycb_video(source: Path, output: Path) -> None:
    """A sequence: <n>-color.png, <n>-depth.png, <n>-label.png and <n>-meta.npz (of the .mat's arrays) a frame.

    Raises:
        DatasetError: there is no frame, or one lacks a file.
    """
    pictures = visible_files(source) if source.is_dir() else []
    frames = [path.name.removesuffix(COLOUR) for path in pictures if path.name.endswith(COLOUR)]
    if not frames:
        raise DatasetError(f"{source} holds no <frame>-color.png; give a sequence's folder of YCB-Video")
    views: dict[str, Any] = {}
    for frame in frames:
        meta = _arrays(source / f"{frame}-meta.npz", "intrinsic_matrix", "rotation_translation_matrix", "factor_depth")
        world_to_camera = np.vstack([meta["rotation_translation_matrix"], [0, 0, 0, 1]])
        views[frame] = _view(meta["intrinsic_matrix"], np.linalg.inv(world_to_camera))
        _copied(source / f"{frame}-color.png", output / "images" / f"{frame}.png")
        metres = _picture(source / f"{frame}-depth.png") / float(meta["factor_depth"].item())
        _write_depth(output / "depth" / f"{frame}.png", metres)
        labels = _picture(source / f"{frame}-label.png")
        for label in np.unique(labels[labels > 0]):
            _write_picture(output / "masks" / str(label) / f"{frame}.png", np.uint8(255) * (labels == label))
    write_json(output / "cameras.json", {"depth_scale": MILLIMETRE, "views": views})


def import_pi3_room(source: Path, output: Path) -> None:
    """rgb/<n>.png and condition.npz with intrinsics, camera poses and depths; prompts of ours, no masks.

    Raises:
        DatasetError: a file is missing or has not the arrays.
    """
    given = _arrays(source / "condition.npz", "intrinsics", "poses", "depths")
    views = {}
    for index, (lens, pose, depth) in enumerate(zip(given["intrinsics"], given["poses"], given["depths"], strict=True)):
        views[str(index)] = _view(lens, pose)
        _copied(source / "rgb" / f"{index}.png", output / "images" / f"{index}.png")
        _write_depth(output / "depth" / f"{index}.png", depth)
    write_json(output / "cameras.json", {"depth_scale": MILLIMETRE, "views": views})
    names = ("view", "x", "y", "positive")
    prompts = {
        name: [dict(zip(names, click, strict=True)) for click in clicks] for name, clicks in ROOM_PROMPTS.items()
    }
    write_json(output / "prompts.json", prompts)


def _view(intrinsics: np.ndarray, camera_to_world: np.ndarray) -> dict[str, Any]:
    return {
        "intrinsics": np.asarray(intrinsics, np.float64).tolist(),
        "camera_to_world": np.asarray(camera_to_world, np.float64).tolist(),
    }


def _arrays(path: Path, *names: str) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing; copy the whole folder") from None
    except (KeyError, ValueError, OSError) as error:
        raise DatasetError(f"{path} does not hold {', '.join(names)} ({error}); copy it again") from None


def _picture(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise DatasetError(f"{path} is missing or damaged; copy the whole folder")
    return picture


def _copied(source: Path, target: Path) -> None:
    if not source.is_file():
        raise DatasetError(f"{source} is missing; copy the whole folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _write_depth(path: Path, metres: np.ndarray) -> None:
    """Millimetres in 16 bits; what does not fit is no depth."""
    millimetres = np.nan_to_num(np.rint(metres / MILLIMETRE), nan=0, posinf=0, neginf=0)
    _write_picture(path, np.where(millimetres <= np.iinfo(np.uint16).max, millimetres, 0).astype(np.uint16))


def _write_picture(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture):
        raise OSError(f"{path} cannot be written")


FORMATS: dict[str, Callable[[Path, Path], None]] = {"ycb-video": import_ycb_video, "pi3-room": import_pi3_room}


def main(arguments: list[str] | None = None) -> int:
    """Writes a scene's folder; under another name until it is whole."""
    parser = argparse.ArgumentParser(
        prog="python -m mvsam.evaluation.benchmarks.import_frames", description=main.__doc__
    )
    parser.add_argument("format", choices=list(FORMATS))
    parser.add_argument("source", type=Path)
    parser.add_argument("--output", type=Path, required=True, help="folder of scenes; the scene is named after SOURCE")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    target = chosen.output / chosen.source.resolve().name
    if target.exists():
        logger.error("%s is there already; remove it first", target)
        return 1
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        FORMATS[chosen.format](chosen.source, temporary)
    except DatasetError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        logger.error("%s", error)
        return 1
    temporary.rename(target)
    logger.info("Read %s", target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
