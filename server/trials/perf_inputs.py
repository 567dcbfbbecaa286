"""What perf_analyzer sends: the files under clients/perf, which hold tensors as they travel.

`python -m server.trials.perf_inputs` writes them anew. The scene in `segment.json` is a placeholder: its id is known
when the scene is there.
"""

import base64
import json
from pathlib import Path

import numpy as np
from tritonclient.utils import np_to_triton_dtype, serialize_byte_tensor

from server.trials.latency import photographs

FOLDER = Path(__file__).resolve().parents[2] / "clients" / "perf"
VIEWS = 4
SCENE = b"0" * 32


def write() -> None:
    """All files."""
    FOLDER.mkdir(exist_ok=True)
    files = photographs(VIEWS)
    clicks = {
        "POINTS": np.array([[[240.0, 180.0]]], np.float32),
        "POINT_LABELS": np.ones((1, 1), np.int32),
        "POINT_VIEWS": np.zeros((1, 1), np.int32),
    }
    for name, tensors in (
        ("ensemble", {"IMAGES": _strings(*files), **clicks}),
        ("encode", {"ACTION": _strings(b"encode"), "IMAGES": _strings(*files)}),
        ("segment", {"ACTION": _strings(b"segment"), "SCENE": _strings(SCENE), **clicks}),
    ):
        content = {key: {"b64": _encoded(array), "shape": list(array.shape)} for key, array in tensors.items()}
        (FOLDER / f"{name}.json").write_text(json.dumps({"data": [content]}, indent=1) + "\n")


def shipped_photographs() -> list[bytes]:
    """The encoded files of `encode.json`."""
    tensor = json.loads((FOLDER / "encode.json").read_text())["data"][0]["IMAGES"]
    data, files = base64.b64decode(tensor["b64"]), []
    while data:
        end = 4 + int.from_bytes(data[:4], "little")
        files.append(data[4:end])
        data = data[end:]
    return files


def with_scene(name: str, scene_id: str) -> str:
    """A file's text, about a scene that is there."""
    return (
        (FOLDER / f"{name}.json").read_text().replace(_encoded(_strings(SCENE)), _encoded(_strings(scene_id.encode())))
    )


def _encoded(array: np.ndarray) -> str:
    kind = np_to_triton_dtype(array.dtype)
    encoded = serialize_byte_tensor(array) if kind == "BYTES" else None
    return base64.b64encode(array.tobytes() if encoded is None else encoded.item()).decode()


def _strings(*values: bytes) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array


if __name__ == "__main__":
    write()
