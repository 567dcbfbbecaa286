"""Geometry of RGB-D frames with known cameras.

Beside `images/`, a scene's folder holds::

    depth/<stem>.png    16-bit grey, times "depth_scale" metres; or <stem>.npy, float32 metres
    cameras.json        {"depth_scale": 0.001, "views": {"<stem>": {"intrinsics": 3x3, "camera_to_world": 4x4}}}

A depth map covers its whole upright photograph, at any resolution; 0 or no finite number is no depth. Intrinsics are in
pixels of the photograph, the centre of the first pixel at (0, 0); poses have OpenCV's axes: x right, y down, z forward.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mvsam.evaluation.geometry.cameras import at_size, from_integer_centres, is_intrinsics, is_pose
from mvsam.evaluation.geometry.depth import common_size, resampled, unprojected
from mvsam.evaluation.geometry.pointmaps import GeometryError, Pointmaps
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.headers import Format, Header, read_header
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.photograph_files import photograph_files

CAMERAS = "cameras.json"


def rgbd_pointmaps(folder: Path, stems: Sequence[str]) -> Pointmaps:
    """Of some views of a scene, at the size of the largest depth map, in metres.

    Args:
        folder: of the scene.
        stems: of the photographs' names, in the views' order.

    Raises:
        GeometryError: a file is missing, damaged or does not fit its photograph.
    """
    cameras = _read_cameras(folder / CAMERAS)
    files = [_depth_file(folder / "depth", stem) for stem in stems]
    size = common_size([_depth_size(file) for file in files])
    images = folder / "images"
    photographs = {path.stem: path for path in (photograph_files(images) if images.is_dir() else [])}
    views = (_view(folder, cameras, photographs, stem, file) for stem, file in zip(stems, files, strict=True))
    return resampled(views, size)


def _view(folder: Path, cameras: dict[str, Any], photographs: Mapping[str, Path], stem: str, file: Path) -> Pointmaps:
    path = folder / CAMERAS
    if stem not in photographs:
        raise GeometryError(
            f"{folder / 'images'} holds no photograph {stem!r}; put {stem}.jpg, .jpeg, .png or .webp there"
        )
    photograph = _header(photographs[stem]).size
    lens = _matrix(path, cameras["views"], stem, "intrinsics")
    if not is_intrinsics(lens):
        raise GeometryError(
            f'{path}: "intrinsics" of {stem!r} is no pinhole camera; give [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in '
            "pixels of the photograph, which must be undistorted"
        )
    pose = _matrix(path, cameras["views"], stem, "camera_to_world")
    if not is_pose(pose):
        raise GeometryError(
            f'{path}: "camera_to_world" of {stem!r} is no rotation and shift; give [[r, r, r, t], [r, r, r, t], '
            "[r, r, r, t], [0, 0, 0, 1]] without scale or reflection"
        )
    depth = _read_depth(file, cameras.get("depth_scale"), path)
    (height, width), (rows, columns) = photograph, depth.shape
    if abs(rows * width - columns * height) > max(height, width):  # more than one of its pixels too many
        raise GeometryError(
            f"{file} is {columns}x{rows}, its photograph {width}x{height}: they do not show the same; align the depth "
            "to the photograph first"
        )
    lens = at_size(from_integer_centres(lens), photograph, depth.shape)
    pointmaps = unprojected(depth[None], np.ones((1, *depth.shape), bool), lens[None], pose[None])
    if not pointmaps.geometry.valid.any():
        raise GeometryError(f"{file} holds no depth at all; leave that view out")
    return pointmaps


def _read_cameras(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise GeometryError(
            f'{path} does not exist; write {{"depth_scale": metres per unit, "views": {{"<stem>": {{"intrinsics": 3x3, '
            '"camera_to_world": 4x4}}}} there'
        ) from None
    except ValueError as error:
        raise GeometryError(f"{path} is not JSON ({error}); write it anew") from None
    if not isinstance(content, dict) or not isinstance(content.get("views"), dict):
        raise GeometryError(f'{path} has no "views"; give each photograph\'s stem its intrinsics and camera_to_world')
    return content


def _matrix(path: Path, views: dict[str, Any], stem: str, name: str) -> np.ndarray:
    if stem not in views:
        raise GeometryError(f"{path} has no camera for {stem!r}; add it, or leave that photograph out")
    try:
        return np.array(views[stem][name], np.float64)
    except (KeyError, TypeError, ValueError):
        raise GeometryError(f"{path}: {name!r} of {stem!r} is missing or no matrix; give its rows as lists") from None


def _header(path: Path) -> Header:
    try:
        header = read_header(path.read_bytes(), str(path))
    except RequestError as error:
        raise GeometryError(str(error)) from None
    if header.stored_height * header.stored_width > Limits.max_image_pixels:
        raise GeometryError(f"{path} has more than the {Limits.max_image_pixels} pixels allowed; save it smaller")
    return header


def _depth_file(folder: Path, stem: str) -> Path:
    for suffix in (".png", ".npy"):
        path = folder / (stem + suffix)
        if path.is_file():
            return path
    raise GeometryError(f"{folder} holds no depth for {stem!r}; put {stem}.png (16 bits) or {stem}.npy there")


def _depth_size(path: Path) -> tuple[int, int]:
    """(height, width), by the header alone."""
    if path.suffix == ".png":
        header = _header(path)
        if header.format is not Format.PNG:
            raise GeometryError(f"{path} is a {header.format.value}; save depth as PNG of 16 bits")
        return header.stored_height, header.stored_width
    height, width = _mapped(path).shape
    return height, width


def _mapped(path: Path) -> np.ndarray:
    """An array of floats [h, w] that stays on disk."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise GeometryError(f"{path} is no array that can be read ({error}); save it with numpy.save") from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f" or not array.size:
        raise GeometryError(f"{path} is no depth map; save float32 [height, width] in metres with numpy.save")
    if array.size > Limits.max_image_pixels:
        raise GeometryError(f"{path} has more than the {Limits.max_image_pixels} pixels allowed; save it smaller")
    return array


def _read_depth(path: Path, scale: Any, cameras: Path) -> np.ndarray:
    """float32 [h, w], metres."""
    if path.suffix == ".npy":
        return np.array(_mapped(path), np.float32)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < np.inf:
        raise GeometryError(
            f'{cameras}: "depth_scale" is {scale!r}; give the metres of one unit of the depth PNGs, such as 0.001'
        )
    units = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if units is None:
        raise GeometryError(f"{path} is a truncated or damaged PNG; save it anew")
    if units.dtype != np.uint16 or units.ndim != 2:
        raise GeometryError(f"{path} is no PNG of 16 bits and one channel; save depth as one")
    return units.astype(np.float32) * np.float32(scale)
