"""A result goes on into the tools that people have."""

import io
import json
import struct
import sys
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from mvsam_client import Click, Client, InvalidRequestError, MissingExtraError, Segmentation
from mvsam_client.cloud import CLOUD_OUTPUTS
from mvsam_client.glb import glb

COMPONENTS = {5126: ("<f4", 4), 5123: ("<u2", 2)}
WIDTHS = {"VEC3": 3, "VEC4": 4}


@pytest.fixture
def result() -> Segmentation:
    """Two objects, ids 4 and 9, in two views of 20x30; object 9 is not in view 1."""
    masks = np.zeros((2, 2, 20, 30), bool)
    masks[0, 0, 2:6, 3:9] = masks[0, 1, 10:12, 20:30] = True
    masks[1, 0, 5:20, 0:10] = True
    return Segmentation(
        masks=[list(row) for row in masks],
        rles=[[{}, {}], [{}, {}]],
        scores=np.array([[0.9, 0.8], [0.7, 0.0]], np.float32),
        areas=masks.sum(axis=(2, 3)),
        sizes=np.array([(20, 30), (20, 30)], np.int32),
        object_ids=(4, 9),
    )


def test_all_masks_are_one_array_where_the_photographs_are_of_one_size(result, server, photographs):
    assert result.array().shape == (2, 2, 20, 30) and result.array().sum() == result.areas.sum()
    with Client(server.url) as client, pytest.raises(InvalidRequestError, match=r"differ in size.*take `masks`"):
        client.segment(photographs, points=[[1, 1]]).array()


def test_a_mask_is_a_png_of_its_object(result):
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(result.png(0, 9)))) > 0, result.masks[1][0])
    with pytest.raises(InvalidRequestError, match=r"object_id: 1 is none of the objects; give one of \(4, 9\)"):
        result.png(0, 1)
    with pytest.raises(InvalidRequestError, match="give one of"):
        result.png(0)


def test_sams_dictionaries_hold_what_is_known(result):
    larger, smaller = result.sam_dicts(0)
    assert (larger["object_id"], smaller["object_id"]) == (9, 4), "the largest first"
    assert smaller["bbox"] == [3, 2, 6, 4] and smaller["area"] == 24 and smaller["crop_box"] == [0, 0, 30, 20]
    assert smaller["predicted_iou"] == pytest.approx(0.9)
    np.testing.assert_array_equal(smaller["segmentation"], result.masks[0][0])
    assert [each["object_id"] for each in result.sam_dicts(1)] == [4], "empty masks are left out"


def test_detections_need_their_package_only_when_they_are_asked_for(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MissingExtraError, match=r"pip install './clients\[supervision\]'"):
        result.detections(0)
    stand_in = ModuleType("supervision")
    stand_in.Detections = lambda **fields: fields  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "supervision", stand_in)
    fields = result.detections(0)
    assert fields["xyxy"].tolist() == [[3, 2, 9, 6], [0, 5, 10, 20]] and fields["mask"].shape == (2, 20, 30)
    assert fields["tracker_id"].tolist() == [4, 9] and fields["confidence"] == pytest.approx([0.9, 0.7])


def parsed(content: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """What a reader of glTF makes of a file: its description, and each attribute as an array."""
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, length) == (b"glTF", 2, len(content))
    chunks, place = {}, 12
    while place < length:
        size, kind = struct.unpack_from("<I4s", content, place)
        assert size % 4 == 0
        chunks[kind], place = content[place + 8 : place + 8 + size], place + 8 + size
    assert place == length and list(chunks) in ([b"JSON", b"BIN\0"], [b"JSON"])
    described = json.loads(chunks[b"JSON"])
    attributes = {}
    for mesh in described.get("meshes", []):
        (primitive,) = mesh["primitives"]
        assert primitive["mode"] == 0, "points"
        for name, index in primitive["attributes"].items():
            accessor = described["accessors"][index]
            view = described["bufferViews"][accessor["bufferView"]]
            kind, size = COMPONENTS[accessor["componentType"]]
            width = WIDTHS[accessor["type"]]
            assert view["byteOffset"] % 4 == 0 and view["byteLength"] == accessor["count"] * width * size
            raw = chunks[b"BIN\0"][view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
            attributes[name] = np.frombuffer(raw, kind).reshape(-1, width)
            if accessor.get("normalized"):
                attributes[name] = attributes[name] / 65535
        (buffer,) = described["buffers"]
        assert buffer["byteLength"] == sum(view["byteLength"] for view in described["bufferViews"])
    return described, attributes


@pytest.mark.parametrize("count", [1, 17])
def test_a_glb_file_reads_back_as_points_and_colours(count):
    rng = np.random.default_rng(3)
    points, colours = rng.normal(size=(count, 3)), rng.integers(0, 256, (count, 3), np.uint8)
    described, attributes = parsed(glb(points, colours))
    np.testing.assert_array_equal(attributes["POSITION"], points.astype(np.float32))
    bounds = described["accessors"][0]
    np.testing.assert_allclose(bounds["min"], points.min(axis=0), rtol=1e-6)
    np.testing.assert_allclose(bounds["max"], points.max(axis=0), rtol=1e-6)
    light = attributes["COLOR_0"]
    assert (light[:, 3] == 1).all()
    shown = np.where(light[:, :3] <= 0.0031308, 12.92 * light[:, :3], 1.055 * light[:, :3] ** (1 / 2.4) - 0.055)
    np.testing.assert_array_equal(np.round(255 * shown), colours)


def test_a_viewer_of_glb_sees_the_scene_upright_and_in_front():
    described, _ = parsed(glb(np.array([[0, -1, 2]]), np.zeros((1, 3), np.uint8)))
    x, y, z, w = described["nodes"][0]["rotation"]
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    np.testing.assert_array_equal(turn @ [0, -1, 2], [0, 1, -2])  # above the camera, and before it


def test_a_cloud_without_points_is_a_valid_file():
    described, attributes = parsed(glb(np.zeros((0, 3)), np.zeros((0, 3), np.uint8)))
    assert described["scenes"] == [{}] and not attributes


def test_the_cloud_of_a_result_is_the_same_in_both_formats(server, photographs):
    with Client(server.url) as client:
        result = client.segment(photographs, points=[Click(0, 10, 10)], outputs=CLOUD_OUTPUTS)
        bare = client.segment(photographs, points=[Click(0, 10, 10)])
    cloud = result.point_cloud(photographs)
    assert len(cloud.positions) == len(cloud.colours) > 0
    _, attributes = parsed(cloud.glb())
    np.testing.assert_array_equal(attributes["POSITION"], cloud.positions)
    assert cloud.ply().startswith(b"ply\n") and f"element vertex {len(cloud.positions)}".encode() in cloud.ply()
    with pytest.raises(InvalidRequestError, match="the point cloud needs points and confidence and GEOMETRY_RECTS"):
        bare.point_cloud(photographs)
    assert len(bare.point_cloud(photographs, result.extra).positions) == len(cloud.positions)
