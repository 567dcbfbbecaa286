"""Photographs of a COLMAP sparse model, out of its text or its binary files."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from scipy.spatial.transform import Rotation

from mvsam.evaluation.geometry.cameras import camera_to_world, is_intrinsics
from mvsam.evaluation.geometry.colmap_images import ModelImage, read_binary_images, read_text_images
from mvsam.evaluation.geometry.pointmaps import GeometryError

_MODELS = (  # by their numbers in binary files
    "SIMPLE_PINHOLE",
    "PINHOLE",
    "SIMPLE_RADIAL",
    "RADIAL",
    "OPENCV",
    "OPENCV_FISHEYE",
    "FULL_OPENCV",
    "FOV",
    "SIMPLE_RADIAL_FISHEYE",
    "RADIAL_FISHEYE",
    "THIN_PRISM_FISHEYE",
)
_FOCAL_LENGTHS = {"SIMPLE_PINHOLE": 1, "PINHOLE": 2}
_COUNT, _CAMERA = struct.Struct("<Q"), struct.Struct("<IiQQ")

T = TypeVar("T")


class _DistortedError(ValueError):
    """A camera that is no pinhole."""


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole.

    Attributes:
        size: (height, width) in pixels.
        intrinsics: float64 [3, 3]; the centre of the first pixel is at (0.5, 0.5), as COLMAP has it.
    """

    size: tuple[int, int]
    intrinsics: np.ndarray


def read_model(folder: Path) -> dict[str, tuple[Camera, np.ndarray]]:
    """Each photograph's camera and pose, float64 [4, 4], camera to world, OpenCV axes.

    Args:
        folder: with cameras and images as .bin or as .txt; .bin where there are both.

    Raises:
        GeometryError: a file is missing or damaged, or a camera is no pinhole.
    """
    for suffix, cameras_of, images_of in (
        (".bin", _binary_cameras, read_binary_images),
        (".txt", _text_cameras, read_text_images),
    ):
        cameras, images = folder / f"cameras{suffix}", folder / f"images{suffix}"
        if cameras.is_file() and images.is_file():
            return _placed(_parsed(cameras, cameras_of), _parsed(images, images_of), images)
    raise GeometryError(
        f"{folder} has neither cameras.bin and images.bin nor cameras.txt and images.txt; give the workspace that "
        "`colmap image_undistorter` wrote"
    )


def _parsed(path: Path, parse: Callable[[bytes], T]) -> T:
    try:
        return parse(path.read_bytes())
    except _DistortedError as error:
        raise GeometryError(
            f"{path}: {error}; run `colmap image_undistorter` and give the workspace that it writes"
        ) from None
    except (struct.error, ValueError, IndexError):
        raise GeometryError(f"{path} is truncated or damaged; write it anew with `colmap model_converter`") from None


def _placed(cameras: dict[int, Camera], images: list[ModelImage], path: Path) -> dict[str, tuple[Camera, np.ndarray]]:
    found = {}
    for image in images:
        if image.camera not in cameras:
            raise GeometryError(f"{path}: {image.name} has camera {image.camera}, which is missing; write both anew")
        w, x, y, z = image.quaternion
        try:
            rotation = Rotation.from_quat([x, y, z, w]).as_matrix()
        except ValueError:
            raise GeometryError(f"{path}: {image.name} has a quaternion of zeros; write it anew") from None
        pose = camera_to_world(rotation[None], np.array([image.translation]))[0]
        if not np.isfinite(pose).all():
            raise GeometryError(f"{path}: the pose of {image.name} is not finite; write it anew")
        found[image.name] = cameras[image.camera], pose
    return found


def _pinhole(model: str, width: int, height: int, parameters: Sequence[float]) -> Camera:
    focal, centre = parameters[:-2], parameters[-2:]
    lens = np.array([[focal[0], 0, centre[0]], [0, focal[-1], centre[1]], [0, 0, 1]])
    if len(focal) != _FOCAL_LENGTHS[model] or not is_intrinsics(lens) or width < 1 or height < 1:
        raise ValueError
    return Camera((height, width), lens)


def _focal_lengths(model: str) -> int:
    if model not in _FOCAL_LENGTHS:
        raise _DistortedError(f"camera model {model} is no pinhole")
    return _FOCAL_LENGTHS[model]


def _binary_cameras(data: bytes) -> dict[int, Camera]:
    cameras, position = {}, _COUNT.size
    for _ in range(_COUNT.unpack_from(data)[0]):
        number, model, width, height = _CAMERA.unpack_from(data, position)
        name = _MODELS[model] if 0 <= model < len(_MODELS) else f"number {model}"
        parameters = struct.Struct(f"<{_focal_lengths(name) + 2}d")
        cameras[number] = _pinhole(name, width, height, parameters.unpack_from(data, position + _CAMERA.size))
        position += _CAMERA.size + parameters.size
    return cameras


def _text_cameras(data: bytes) -> dict[int, Camera]:
    cameras = {}
    for line in data.decode("utf-8-sig", "replace").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            number, model, width, height, *parameters = line.split()
            _focal_lengths(model)
            cameras[int(number)] = _pinhole(model, int(width), int(height), [float(each) for each in parameters])
    return cameras
