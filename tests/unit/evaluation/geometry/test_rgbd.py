"""RGB-D frames on disk become exact points, and files that do not fit are named."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mvsam.evaluation.geometry.pointmaps import GeometryError
from mvsam.evaluation.geometry.rgbd import rgbd_pointmaps
from tests.clutter import clutter
from tests.unit.evaluation.geometry.exact import View, misses, off_surface, views

SIZE, HALF = (60, 80), (30, 40)
STEMS = ["b", "a"]
SCALE = 0.0005


def camera(view: View) -> dict[str, Any]:
    """In OpenCV's pixels, of which the first has its centre at (0, 0)."""
    lens = view.intrinsics()
    lens[:2, 2] -= 0.5
    return {"intrinsics": lens.tolist(), "camera_to_world": view.pose.tolist()}


def write_png(path: Path, depth: np.ndarray) -> None:
    cv2.imwrite(str(path), np.round(depth / SCALE).astype(np.uint16))


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / "cameras.json").read_bytes())
    edit(content)
    (folder / "cameras.json").write_text(json.dumps(content))


@pytest.fixture
def taken() -> list[View]:
    return views(SIZE, SIZE)


@pytest.fixture
def folder(tmp_path: Path, taken: list[View]) -> Path:
    """Depth at half the photographs' resolution, as a PNG and as an array."""
    for name in ("images", "depth"):
        (tmp_path / name).mkdir()
    for stem, view in zip(STEMS, taken, strict=True):
        (tmp_path / "images" / f"{stem}.png").write_bytes(view.photograph)
    write_png(tmp_path / "depth" / "b.png", taken[0].depth(HALF))
    np.save(tmp_path / "depth" / "a.npy", taken[1].depth(HALF).astype(np.float32))
    cameras = {stem: camera(view) for stem, view in zip(STEMS, taken, strict=True)}
    (tmp_path / "cameras.json").write_text(json.dumps({"depth_scale": SCALE, "views": cameras}), encoding="utf-8-sig")
    return tmp_path


def test_points_are_exact_in_the_order_asked_for(folder: Path, taken: list[View]) -> None:
    found = rgbd_pointmaps(folder, STEMS)
    assert found.camera_poses is not None and found.intrinsics is not None
    np.testing.assert_allclose(found.geometry.points[0], taken[0].points(HALF), atol=SCALE)
    np.testing.assert_allclose(found.geometry.points[1], taken[1].points(HALF), atol=1e-5)
    np.testing.assert_allclose(found.camera_poses, [view.pose for view in taken], atol=1e-6)
    np.testing.assert_allclose(found.intrinsics, [view.intrinsics(HALF) for view in taken], rtol=1e-5)
    turned = rgbd_pointmaps(folder, STEMS[::-1])
    assert np.array_equal(turned.geometry.points, found.geometry.points[::-1])


def test_photographs_with_an_ending_in_capitals_are_found(folder: Path) -> None:
    found = rgbd_pointmaps(folder, STEMS)
    for path in list((folder / "images").iterdir()):
        path.rename(path.with_suffix(".Jpg"))  # content decides what it is
    clutter(folder)
    np.testing.assert_array_equal(rgbd_pointmaps(folder, STEMS).geometry.points, found.geometry.points)


def test_no_depth_is_invalid(folder: Path, taken: list[View]) -> None:
    holes = taken[0].depth(HALF), taken[1].depth(HALF).astype(np.float32)
    holes[0][2, 3] = 0
    holes[1][4, 5:8] = [0, np.nan, np.inf]
    write_png(folder / "depth" / "b.png", holes[0])
    np.save(folder / "depth" / "a.npy", holes[1])
    valid = rgbd_pointmaps(folder, STEMS).geometry.valid
    assert np.argwhere(~valid).tolist() == [[0, 2, 3], [1, 4, 5], [1, 4, 6], [1, 4, 7]]


def test_depth_maps_of_different_sizes_come_together(folder: Path, taken: list[View]) -> None:
    np.save(folder / "depth" / "a.npy", taken[1].depth(SIZE).astype(np.float32))
    found = rgbd_pointmaps(folder, STEMS)
    assert found.geometry.valid.shape == (2, *SIZE)
    assert off_surface(found.geometry.points).max() < 2 * SCALE
    assert misses(found)[0].max() < 1 and misses(found)[1].max() < 1e-2


def mirrored(content: dict[str, Any]) -> None:
    content["views"]["b"]["camera_to_world"][0] = [-x for x in content["views"]["b"]["camera_to_world"][0]]


@pytest.mark.parametrize(
    "edit, message",
    [
        (lambda c: c.pop("views"), 'no "views"'),
        (lambda c: c["views"].pop("b"), "no camera for 'b'"),
        (lambda c: c.pop("depth_scale"), '"depth_scale" is None'),
        (lambda c: c.update(depth_scale=-1), '"depth_scale" is -1'),
        (lambda c: c["views"]["b"].pop("intrinsics"), "'intrinsics' of 'b' is missing"),
        (lambda c: c["views"]["b"].update(intrinsics=[[1, 2], [3]]), "'intrinsics' of 'b' is missing or no matrix"),
        (lambda c: c["views"]["b"].update(intrinsics=np.eye(4).tolist()), "no pinhole camera"),
        (lambda c: c["views"]["b"]["intrinsics"][0].__setitem__(1, 3), "no pinhole camera"),
        (mirrored, "without scale or reflection"),
        (lambda c: c["views"]["b"].update(camera_to_world=np.eye(3).tolist()), "no rotation and shift"),
    ],
)
def test_cameras_that_are_none_are_named(folder: Path, edit: Callable[[dict[str, Any]], object], message: str) -> None:
    change(folder, edit)
    with pytest.raises(GeometryError, match=rf"cameras\.json.*{message}"):
        rgbd_pointmaps(folder, STEMS)


def spoil_cameras(folder: Path) -> None:
    (folder / "cameras.json").write_text("{")


def remove_cameras(folder: Path) -> None:
    (folder / "cameras.json").unlink()


def eight_bits(folder: Path) -> None:
    cv2.imwrite(str(folder / "depth" / "b.png"), np.ones(HALF, np.uint8))


def truncated(folder: Path) -> None:
    path = folder / "depth" / "b.png"
    path.write_bytes(path.read_bytes()[:60])


def photograph_as_depth(folder: Path) -> None:
    (folder / "depth" / "b.png").write_bytes(cv2.imencode(".jpg", np.ones((*HALF, 3), np.uint8))[1].tobytes())


def another_shape(folder: Path) -> None:
    write_png(folder / "depth" / "b.png", np.ones((30, 44)))


def empty(folder: Path) -> None:
    write_png(folder / "depth" / "b.png", np.zeros(HALF))


def no_depth(folder: Path) -> None:
    (folder / "depth" / "b.png").unlink()


def no_photograph(folder: Path) -> None:
    (folder / "images" / "b.png").unlink()


def pickled(folder: Path) -> None:
    np.save(folder / "depth" / "a.npy", np.array([folder], object), allow_pickle=True)


def cut_short(folder: Path) -> None:
    path = folder / "depth" / "a.npy"
    path.write_bytes(path.read_bytes()[:-100])


def of_integers(folder: Path) -> None:
    np.save(folder / "depth" / "a.npy", np.ones(HALF, np.int32))


@pytest.mark.parametrize(
    "spoil, message",
    [
        (spoil_cameras, r"cameras\.json is not JSON"),
        (remove_cameras, r"cameras\.json does not exist; write"),
        (eight_bits, r"b\.png is no PNG of 16 bits"),
        (truncated, r"b\.png is a truncated or damaged PNG"),
        (photograph_as_depth, r"b\.png is a JPEG; save depth as PNG"),
        (another_shape, r"b\.png is 44x30, its photograph 80x60: .*align"),
        (empty, r"b\.png holds no depth at all"),
        (no_depth, r"depth holds no depth for 'b'"),
        (no_photograph, r"images holds no photograph 'b'"),
        (pickled, r"a\.npy is no"),
        (cut_short, r"a\.npy is no array that can be read"),
        (of_integers, r"a\.npy is no depth map; save float32"),
    ],
)
def test_files_that_do_not_fit_are_named(folder: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(folder)
    with pytest.raises(GeometryError, match=message):
        rgbd_pointmaps(folder, STEMS)


real = pytest.mark.skipif("MVSAM_DATA" not in os.environ, reason="MVSAM_DATA names no folder with real RGB-D frames")


def seen_by_another(folder: Path, stems: list[str]) -> np.ndarray:
    """Relative difference between the depth of a view's points in the next view and what that one measured there."""
    found = rgbd_pointmaps(folder, stems)
    assert found.camera_poses is not None and found.intrinsics is not None
    geometry, pose, lens = found.geometry, found.camera_poses[1], found.intrinsics[1]
    local = (geometry.points[0][geometry.valid[0]] - pose[:3, 3]) @ pose[:3, :3]
    local = local[local[:, 2] > 0]
    column, row = np.floor((local @ lens.T)[:, :2] / local[:, 2:]).T.astype(int)
    height, width = geometry.valid.shape[1:]
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    inside[inside] = geometry.valid[1, row[inside], column[inside]]
    assert inside.mean() > 0.3
    measured = (geometry.points[1] - pose[:3, 3]) @ pose[:3, 2]
    there = measured[row[inside], column[inside]]
    return np.abs(local[inside, 2] - there) / there


@real
def test_neighbours_of_a_room_agree(tmp_path: Path) -> None:
    source = Path(os.environ["MVSAM_DATA"]) / "pi3_room"
    with np.load(source / "condition.npz") as condition:
        depths, poses, lenses = (condition[name] for name in ("depths", "poses", "intrinsics"))
    (tmp_path / "depth").mkdir()
    (tmp_path / "images").symlink_to(source / "rgb")
    cameras = {}
    for view in range(2):
        np.save(tmp_path / "depth" / f"{view}.npy", depths[view])
        cameras[str(view)] = {"intrinsics": lenses[view].tolist(), "camera_to_world": poses[view].tolist()}
    (tmp_path / "cameras.json").write_text(json.dumps({"views": cameras}))
    assert np.median(seen_by_another(tmp_path, ["0", "1"])) < 0.01


@real
def test_frames_of_a_depth_camera_agree(tmp_path: Path) -> None:
    source = Path(os.environ["MVSAM_DATA"]) / "ycbv_0000"
    for name in ("images", "depth"):
        (tmp_path / name).mkdir()
    cameras: dict[str, Any] = {}
    for stem in ("000001", "000010"):
        (tmp_path / "images" / f"{stem}.png").symlink_to(source / f"{stem}-color.png")
        (tmp_path / "depth" / f"{stem}.png").symlink_to(source / f"{stem}-depth.png")
        with np.load(source / f"{stem}-meta.npz") as meta:
            to_camera = np.concatenate([meta["rotation_translation_matrix"], [[0, 0, 0, 1]]])
            to_camera[:3, :3] = Rotation.from_matrix(to_camera[:3, :3]).as_matrix()
            cameras[stem] = {
                "intrinsics": meta["intrinsic_matrix"].tolist(),
                "camera_to_world": np.linalg.inv(to_camera).tolist(),
            }
            scale = 1 / float(meta["factor_depth"].item())
    (tmp_path / "cameras.json").write_text(json.dumps({"depth_scale": scale, "views": cameras}))
    assert np.median(seen_by_another(tmp_path, ["000001", "000010"])) < 0.01
