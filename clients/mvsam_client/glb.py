"""A coloured point cloud as binary glTF 2.0, which browsers and the viewers of operating systems open."""

import json
import struct

import numpy as np

_MAGIC, _VERSION = 0x46546C67, 2
_JSON, _BINARY = 0x4E4F534A, 0x004E4942
_POINTS, _ARRAY_BUFFER = 0, 34962
_FLOAT, _UNSIGNED_SHORT = 5126, 5123


def glb(positions: np.ndarray, colours: np.ndarray) -> bytes:
    """A GLB file with one mesh of POINTS and COLOR_0.

    glTF looks along −z with y upwards, photographs along z with y downwards: the node is turned about x. Its colours
    are linear light; 16 bits keep the dark ones apart.

    Args:
        positions: [n, 3], finite.
        colours: uint8 [n, 3], as a screen shows them (sRGB).
    """
    placed = np.ascontiguousarray(positions, "<f4").reshape(-1, 3)
    light = np.full((len(placed), 4), 65535, "<u2")
    light[:, :3] = _linear(colours)
    content = placed.tobytes() + light.tobytes()
    described = json.dumps(_description(placed, len(content))).encode()
    chunks = _chunk(_JSON, described, b" ") + (_chunk(_BINARY, content, b"\0") if len(placed) else b"")
    return struct.pack("<III", _MAGIC, _VERSION, 12 + len(chunks)) + chunks


def _description(placed: np.ndarray, size: int) -> dict:
    about = {"asset": {"version": "2.0", "generator": "mvsam-client"}, "scene": 0}
    count, width = len(placed), placed.itemsize * 3
    if not count:  # an accessor holds at least one element
        return about | {"scenes": [{}]}
    return about | {
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "rotation": [1, 0, 0, 0], "name": "points"}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "COLOR_0": 1}, "mode": _POINTS}]}],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": _FLOAT,
                "count": count,
                "type": "VEC3",
                "min": placed.min(axis=0).tolist(),
                "max": placed.max(axis=0).tolist(),
            },
            {"bufferView": 1, "componentType": _UNSIGNED_SHORT, "normalized": True, "count": count, "type": "VEC4"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": count * width, "target": _ARRAY_BUFFER},
            {"buffer": 0, "byteOffset": count * width, "byteLength": size - count * width, "target": _ARRAY_BUFFER},
        ],
        "buffers": [{"byteLength": size}],
    }


def _linear(colours: np.ndarray) -> np.ndarray:
    """sRGB, uint8, as linear light in 16 bits."""
    shown = np.arange(256) / 255
    light = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    return np.round(65535 * light).astype("<u2")[colours]


def _chunk(kind: int, content: bytes, filler: bytes) -> bytes:
    content += filler * (-len(content) % 4)
    return struct.pack("<II", len(content), kind) + content
