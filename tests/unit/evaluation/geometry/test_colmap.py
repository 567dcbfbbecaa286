"""A COLMAP workspace in either format gives exact points, and what is missing or damaged is named."""

import os
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from mvsam.evaluation.geometry.colmap import colmap_pointmaps
from mvsam.evaluation.geometry.colmap_model import read_model
from mvsam.evaluation.geometry.pointmaps import GeometryError
from tests.unit.evaluation.geometry.exact import View, misses, off_surface, views

SIZE, HALF = (60, 80), (30, 40)
NAMES = ["left/first one.png", "second.png"]
KEYPOINTS = [[], [(1.5, 2.5, 7), (3.0, 4.0, -1)]]  # x, y and a point's number or -1; an image may have none
Camera = tuple[str, int, int, list[float]]


def cameras_of(taken: list[View]) -> dict[int, Camera]:
    pinhole, simple = taken
    return {
        3: ("PINHOLE", 80, 60, [pinhole.focal, pinhole.focal, 40.0, 30.0]),
        1: ("SIMPLE_PINHOLE", 80, 60, [simple.focal, 40.0, 30.0]),
    }


def poses_of(taken: list[View]) -> list[tuple[int, str, int, list[float], list[float]]]:
    """Number, name, camera, quaternion (w, x, y, z) and translation from world to camera."""
    found = []
    for number, name, camera, view in zip((9, 4), NAMES, (3, 1), taken, strict=True):
        inverse = np.linalg.inv(view.pose)
        x, y, z, w = Rotation.from_matrix(inverse[:3, :3]).as_quat().tolist()
        found.append((number, name, camera, [w, x, y, z], inverse[:3, 3].tolist()))
    return found


def write_text(folder: Path, taken: list[View]) -> None:
    lines = ["# Camera list with one line of data per camera:"]
    lines += [f"{n} {model} {w} {h} {' '.join(map(str, p))}" for n, (model, w, h, p) in cameras_of(taken).items()]
    (folder / "cameras.txt").write_text("\n".join(lines) + "\n")
    lines = ["# Image list with two lines of data per image:"]
    for (number, name, camera, quaternion, shift), keypoints in zip(poses_of(taken), KEYPOINTS, strict=True):
        lines.append(f"{number} {' '.join(map(str, quaternion + shift))} {camera} {name}")
        lines.append(" ".join(f"{x} {y} {point}" for x, y, point in keypoints))
    (folder / "images.txt").write_text("\n".join(lines) + "\n")


def write_binary(folder: Path, taken: list[View]) -> None:
    data = struct.pack("<Q", 2)
    for number, (model, width, height, parameters) in cameras_of(taken).items():
        data += struct.pack("<IiQQ", number, {"SIMPLE_PINHOLE": 0, "PINHOLE": 1}[model], width, height)
        data += struct.pack(f"<{len(parameters)}d", *parameters)
    (folder / "cameras.bin").write_bytes(data)
    data = struct.pack("<Q", 2)
    for (number, name, camera, quaternion, shift), keypoints in zip(poses_of(taken), KEYPOINTS, strict=True):
        data += struct.pack("<I7dI", number, *quaternion, *shift, camera) + name.encode() + b"\0"
        data += struct.pack("<Q", len(keypoints)) + b"".join(struct.pack("<ddq", *each) for each in keypoints)
    (folder / "images.bin").write_bytes(data)


def write_depth(workspace: Path, name: str, depth: np.ndarray, kind: str = "geometric") -> None:
    path = workspace / "stereo" / "depth_maps" / f"{name}.{kind}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = depth.shape
    by_x_and_y = depth.T[..., None].astype("<f4")
    path.write_bytes(f"{width}&{height}&1&".encode() + by_x_and_y.tobytes(order="F"))


@pytest.fixture
def taken() -> list[View]:
    return views(SIZE, SIZE)


@pytest.fixture(params=[write_text, write_binary])
def workspace(request: pytest.FixtureRequest, tmp_path: Path, taken: list[View]) -> Path:
    (tmp_path / "sparse").mkdir()
    request.param(tmp_path / "sparse", taken)
    for name, view in zip(NAMES, taken, strict=True):
        write_depth(tmp_path, name, view.depth())
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(view.photograph)
    return tmp_path


def model_file(workspace: Path, stem: str) -> Path:
    (path,) = (workspace / "sparse").glob(f"{stem}.*")
    return path


def test_points_are_exact_in_the_order_asked_for(workspace: Path, taken: list[View]) -> None:
    found = colmap_pointmaps(workspace, NAMES[::-1])
    assert found.camera_poses is not None and found.intrinsics is not None
    for view, points, pose, lens in zip(
        taken[::-1], found.geometry.points, found.camera_poses, found.intrinsics, strict=True
    ):
        np.testing.assert_allclose(points, view.points(), atol=1e-5)
        np.testing.assert_allclose(pose, view.pose, atol=1e-6)
        np.testing.assert_allclose(lens, view.intrinsics(), rtol=1e-6)


def without_keypoint_lines(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if line.split()[9:10]]


def with_blank_lines(lines: list[bytes]) -> list[bytes]:
    return [b"", *(each for line in lines for each in (line, b"", b"  "))]


def with_a_byte_order_mark(lines: list[bytes]) -> list[bytes]:
    return [b"\xef\xbb\xbf" + lines[0], *lines[1:]]


def of_windows(lines: list[bytes]) -> list[bytes]:
    return [line + b"\r" for line in lines]


@pytest.mark.parametrize("change", [without_keypoint_lines, with_blank_lines, with_a_byte_order_mark, of_windows])
def test_every_image_of_a_text_model_counts(
    tmp_path: Path, taken: list[View], change: Callable[[list[bytes]], list[bytes]]
) -> None:
    write_text(tmp_path, taken)
    whole = read_model(tmp_path)
    for stem in ("images", "cameras"):
        path = tmp_path / f"{stem}.txt"
        lines = path.read_bytes().splitlines()
        if stem == "images" or change is not without_keypoint_lines:
            path.write_bytes(b"\n".join(change(lines)) + b"\n")
    found = read_model(tmp_path)
    assert list(found) == list(whole) == NAMES
    for name in NAMES:
        np.testing.assert_array_equal(found[name][1], whole[name][1])


@pytest.mark.parametrize("write", [write_text, write_binary])
def test_names_are_the_bytes_of_the_files_names(tmp_path: Path, taken: list[View], write: Callable) -> None:
    write(tmp_path, taken)
    odd = "Stra\u00dfe \u00a0 \u2028 x.png".encode(), "caf\u00e9.png".encode("latin-1")
    for path in tmp_path.glob("images.*"):
        content = path.read_bytes()
        for name, other in zip(NAMES, odd, strict=True):
            content = content.replace(name.encode(), other)
        path.write_bytes(content)
    assert [os.fsencode(name) for name in read_model(tmp_path)] == list(odd)


def test_smaller_depth_maps_still_cover_their_photographs(workspace: Path, taken: list[View]) -> None:
    write_depth(workspace, NAMES[0], taken[0].depth(HALF))
    found = colmap_pointmaps(workspace, NAMES)
    assert found.geometry.valid.shape == (2, *SIZE)
    assert off_surface(found.geometry.points).max() < 1e-4
    assert misses(found)[0].max() < 1 and misses(found)[1].max() < 1e-2
    alone = colmap_pointmaps(workspace, NAMES[:1])
    np.testing.assert_allclose(alone.geometry.points[0], taken[0].points(HALF), atol=1e-5)


def test_no_depth_is_invalid(workspace: Path, taken: list[View]) -> None:
    depth = taken[1].depth()
    depth[5, 6:9] = [0, -2, np.nan]
    write_depth(workspace, NAMES[1], depth)
    valid = colmap_pointmaps(workspace, NAMES).geometry.valid
    assert np.argwhere(~valid).tolist() == [[1, 5, 6], [1, 5, 7], [1, 5, 8]]


def test_geometric_depth_is_preferred_to_photometric(workspace: Path, taken: list[View]) -> None:
    write_depth(workspace, NAMES[0], 2 * taken[0].depth(), "photometric")
    folder = workspace / "stereo" / "depth_maps"
    (folder / f"{NAMES[1]}.geometric.bin").rename(folder / f"{NAMES[1]}.photometric.bin")
    found = colmap_pointmaps(workspace, NAMES)
    np.testing.assert_allclose(found.geometry.points, [view.points() for view in taken], atol=1e-5)


def test_model_in_a_folder_of_its_own_is_found(workspace: Path, taken: list[View]) -> None:
    (workspace / "sparse").rename(workspace / "0")
    (workspace / "sparse").mkdir()
    (workspace / "0").rename(workspace / "sparse" / "0")
    found = colmap_pointmaps(workspace, NAMES[:1])
    np.testing.assert_allclose(found.geometry.points[0], taken[0].points(), atol=1e-5)


@pytest.mark.parametrize("stem", ["cameras", "images"])
@pytest.mark.parametrize("left", [0.1, 0.5, 0.8])
def test_truncated_model_is_named(workspace: Path, stem: str, left: float) -> None:
    path = model_file(workspace, stem)
    data = path.read_bytes()
    path.write_bytes(data[: int(left * len(data))])
    with pytest.raises(GeometryError):
        colmap_pointmaps(workspace, NAMES)


def test_every_truncation_of_a_binary_model_is_seen(tmp_path: Path, taken: list[View]) -> None:
    (tmp_path / "sparse").mkdir()
    write_binary(tmp_path / "sparse", taken)
    for stem in ("images", "cameras"):
        path = tmp_path / "sparse" / f"{stem}.bin"
        data = path.read_bytes()
        for length in range(len(data)):
            path.write_bytes(data[:length])
            with pytest.raises(GeometryError, match=rf"{stem}\.bin is truncated or damaged; .*model_converter"):
                colmap_pointmaps(tmp_path, NAMES)


def truncated_depth(workspace: Path) -> None:
    path = workspace / "stereo" / "depth_maps" / f"{NAMES[0]}.geometric.bin"
    path.write_bytes(path.read_bytes()[:-3])


def no_depth(workspace: Path) -> None:
    (workspace / "stereo" / "depth_maps" / f"{NAMES[0]}.geometric.bin").unlink()


def no_header(workspace: Path) -> None:
    (workspace / "stereo" / "depth_maps" / f"{NAMES[0]}.geometric.bin").write_bytes(b"80&60")


def normals(workspace: Path) -> None:
    path = workspace / "stereo" / "depth_maps" / f"{NAMES[0]}.geometric.bin"
    path.write_bytes(b"80&60&3&" + bytes(4 * 3 * 80 * 60))


def far_too_large(workspace: Path) -> None:
    path = workspace / "stereo" / "depth_maps" / f"{NAMES[0]}.geometric.bin"
    path.write_bytes(b"99999&99999&1&")


def nothing_seen(workspace: Path) -> None:
    write_depth(workspace, NAMES[0], np.zeros(SIZE))


def no_model(workspace: Path) -> None:
    model_file(workspace, "images").unlink()


def turned(workspace: Path) -> None:
    exif, buffer = Image.Exif(), BytesIO()
    exif[0x0112] = 6
    Image.new("RGB", (80, 60)).save(buffer, "JPEG", exif=exif)
    (workspace / "images" / NAMES[0]).write_bytes(buffer.getvalue())


@pytest.mark.parametrize(
    "spoil, message",
    [
        (truncated_depth, r"first one\.png\.geometric\.bin is truncated or damaged; run `colmap patch_match_stereo`"),
        (no_depth, r"no depth map of left/first one\.png; run `colmap patch_match_stereo`, or leave"),
        (no_header, r"first one\.png\.geometric\.bin is no depth map"),
        (normals, r"80x60 with 3 channels"),
        (far_too_large, r"99999x99999"),
        (nothing_seen, r"holds no depth at all; leave that photograph out"),
        (no_model, r"sparse has neither cameras\.bin .* image_undistorter"),
        (turned, r"first one\.png is turned by the orientation in its metadata"),
    ],
)
def test_files_that_do_not_fit_are_named(workspace: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(workspace)
    with pytest.raises(GeometryError, match=message):
        colmap_pointmaps(workspace, NAMES)


def test_a_photograph_that_was_not_placed_is_named(workspace: Path) -> None:
    with pytest.raises(GeometryError, match=r"sparse does not know third\.png: COLMAP did not place it"):
        colmap_pointmaps(workspace, [*NAMES, "third.png"])


def test_images_of_a_missing_camera_are_named(workspace: Path, taken: list[View]) -> None:
    path = model_file(workspace, "cameras")
    if path.suffix == ".txt":
        path.write_text("\n".join(path.read_text().splitlines()[:2]))
    else:
        path.write_bytes(struct.pack("<Q", 1) + path.read_bytes()[8:])
    with pytest.raises(GeometryError, match=r"second\.png has camera 1, which is missing"):
        colmap_pointmaps(workspace, NAMES)


@pytest.mark.parametrize("number, model", [(2, "SIMPLE_RADIAL"), (4, "OPENCV"), (77, "number 77")])
def test_distorted_cameras_are_to_be_undistorted_first(
    tmp_path: Path, taken: list[View], number: int, model: str
) -> None:
    sparse = tmp_path / "sparse"
    sparse.mkdir()
    write_binary(sparse, taken)
    (sparse / "cameras.bin").write_bytes(struct.pack("<QIiQQ8d", 1, 3, number, 80, 60, *[1.0] * 8))
    with pytest.raises(GeometryError, match=rf"cameras\.bin: camera model {model} is no pinhole; .*image_undistorter"):
        colmap_pointmaps(tmp_path, NAMES)
    for path in sparse.iterdir():
        path.unlink()
    write_text(sparse, taken)
    (sparse / "cameras.txt").write_text(f"3 {model.replace(' ', '_')} 80 60 70 40 30 0.1 0 0 0\n")
    with pytest.raises(GeometryError, match=r"cameras\.txt: .* is no pinhole; .*image_undistorter"):
        colmap_pointmaps(tmp_path, NAMES)
