"""Geometry that COLMAP reconstructed: a workspace of its `image_undistorter` after `patch_match_stereo`.

It holds the undistorted photographs in images/, which are those to ask about, the model in sparse/ and, for each image,
stereo/depth_maps/<image>.geometric.bin or .photometric.bin.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mvsam.evaluation.geometry.cameras import at_size
from mvsam.evaluation.geometry.colmap_model import Camera, read_model
from mvsam.evaluation.geometry.depth import common_size, resampled, unprojected
from mvsam.evaluation.geometry.pointmaps import GeometryError, Pointmaps
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.headers import read_header
from mvsam.pipeline.limits import Limits

KINDS = ("geometric", "photometric")  # the better first
_HEADER = re.compile(rb"(\d{1,9})&(\d{1,9})&(\d{1,9})&")
_MOST_HEADER = 30  # bytes


@dataclass(frozen=True)
class _DepthMap:
    """A file that is as long as it says.

    Attributes:
        size: (height, width).
        start: of the numbers, in bytes.
    """

    path: Path
    size: tuple[int, int]
    start: int

    @classmethod
    def open(cls, workspace: Path, name: str) -> "_DepthMap":
        folder = workspace / "stereo" / "depth_maps"
        path = next((p for kind in KINDS if (p := folder / f"{name}.{kind}.bin").is_file()), None)
        if path is None:
            raise GeometryError(
                f"{folder} has no depth map of {name}; run `colmap patch_match_stereo`, or leave that photograph out"
            )
        with path.open("rb") as file:
            header = _HEADER.match(file.read(_MOST_HEADER))
        if header is None:
            raise GeometryError(f"{path} is no depth map; run `colmap patch_match_stereo` again")
        width, height, channels = (int(number) for number in header.groups())
        if channels != 1 or not 0 < width * height <= Limits.max_image_pixels:
            raise GeometryError(f"{path} is {width}x{height} with {channels} channels; give a depth map of COLMAP's")
        if path.stat().st_size != header.end() + 4 * width * height:
            raise GeometryError(f"{path} is truncated or damaged; run `colmap patch_match_stereo` again")
        return cls(path, (height, width), header.end())

    def read(self) -> np.ndarray:
        """float32 [h, w]: COLMAP writes columns of (x, y), which are rows of (y, x)."""
        return np.fromfile(self.path, "<f4", offset=self.start).reshape(self.size)


def colmap_pointmaps(workspace: Path, names: Sequence[str]) -> Pointmaps:
    """Of some photographs, at the size of the largest depth map, in the model's unit.

    Args:
        workspace: see above.
        names: of images, as the model has them, in the views' order.

    Raises:
        GeometryError: a file is missing or damaged, a photograph is not in the model, or its camera is no pinhole.
    """
    sparse = workspace / "sparse"
    model = read_model(sparse / "0" if (sparse / "0").is_dir() else sparse)
    for name in names:
        if name not in model:
            raise GeometryError(f"{sparse} does not know {name}: COLMAP did not place it; leave that photograph out")
        _check_upright(workspace / "images" / name)
    maps = [_DepthMap.open(workspace, name) for name in names]
    size = common_size([each.size for each in maps])
    return resampled((_view(*model[name], each) for name, each in zip(names, maps, strict=True)), size)


def _view(camera: Camera, pose: np.ndarray, file: _DepthMap) -> Pointmaps:
    depth = file.read()
    lens = at_size(camera.intrinsics, camera.size, file.size)
    pointmaps = unprojected(depth[None], np.ones((1, *file.size), bool), lens[None], pose[None])
    if not pointmaps.geometry.valid.any():
        raise GeometryError(f"{file.path} holds no depth at all; leave that photograph out")
    return pointmaps


def _check_upright(path: Path) -> None:
    """COLMAP does not look at the orientation that a camera notes, but whoever shows the photograph does."""
    if not path.is_file():
        return
    try:
        header = read_header(path.read_bytes(), str(path))
    except RequestError as error:
        raise GeometryError(str(error)) from None
    if header.orientation != 1:
        raise GeometryError(
            f"{path} is turned by the orientation in its metadata, which COLMAP does not heed; remove it, or turn the "
            "pixels before the reconstruction"
        )
