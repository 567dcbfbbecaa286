"""Pictures and masks in SA-1B's format, drawn by formula, written as tar files and folders."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco


def discs(index: int, size: tuple[int, int], objects: int) -> tuple[np.ndarray, np.ndarray]:
    """A photograph (uint8 [h, w, 3]) of coloured discs side by side, and their masks (bool [K, h, w])."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    photograph = np.stack([40 + 60 * x / width, 40 + 60 * y / height, 60 + 0 * x], axis=2).astype(np.uint8)
    step = width / objects
    masks = np.stack(
        [
            (x - (place + 0.5) * step) ** 2 + (y - height * (0.35 + 0.3 * ((index + place) % 2))) ** 2
            < (0.4 * step * (0.7 + 0.3 * ((index * 7 + place * 3) % 5) / 4)) ** 2
            for place in range(objects)
        ]
    )
    for place, mask in enumerate(masks):
        photograph[mask] = [(90 * index + 60 * place) % 256, 200 - 30 * place % 200, 120 + 40 * (place % 3)]
    return photograph, masks


def coco_counts(mask: np.ndarray) -> bytes:
    """COCO's compressed run lengths, by its own code."""
    encoded: Any = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return encoded["counts"]


def annotation(mask: np.ndarray, identity: int) -> dict:
    """One mask as SA-1B describes it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top = float(columns[0]), float(rows[0])
    return {
        "bbox": [left, top, float(columns[-1] - left), float(rows[-1] - top)],
        "area": int(mask.sum()),
        "segmentation": {"size": list(mask.shape), "counts": coco_counts(mask).decode("ascii")},
        "predicted_iou": 1.0,
        "point_coords": [[left, top]],
        "crop_box": [0.0, 0.0, float(mask.shape[1]), float(mask.shape[0])],
        "id": identity,
        "stability_score": 1.0,
    }


def jpg(photograph: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photograph).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def record(index: int, size: tuple[int, int], annotations: Sequence[dict]) -> bytes:
    """The json beside photograph `index`."""
    image = {"image_id": index, "width": size[1], "height": size[0], "file_name": f"sa_{index}.jpg"}
    return json.dumps({"image": image, "annotations": list(annotations)}).encode()


def sa1b_files(indices: Sequence[int], size: tuple[int, int] = (48, 64), objects: int = 3) -> dict[str, bytes]:
    """Name to content of whole pairs."""
    files = {}
    for index in indices:
        photograph, masks = discs(index, size, objects)
        files[f"sa_{index}.jpg"] = jpg(photograph)
        files[f"sa_{index}.json"] = record(
            index, size, [annotation(mask, 100 * index + k) for k, mask in enumerate(masks)]
        )
    return files


def damaged_files() -> dict[str, bytes]:
    """Three whole pairs (0 to 2) of 48 x 64 pixels and one of each kind of damage."""
    files = sa1b_files(range(11))
    files["sa_3.jpg"] = files["sa_3.jpg"][: len(files["sa_3.jpg"]) // 2]
    files["sa_4.json"] = b""
    bad = json.loads(files["sa_5.json"])
    bad["annotations"][0]["segmentation"]["counts"] = "garbage!!"
    bad["annotations"][1]["segmentation"]["counts"] = bad["annotations"][1]["segmentation"]["counts"][:-3]
    files["sa_5.json"] = json.dumps(bad).encode()
    del files["sa_6.jpg"]
    del files["sa_7.json"]
    _, other = discs(8, (20, 30), 2)
    files["sa_8.json"] = record(8, (48, 64), [annotation(mask, k) for k, mask in enumerate(other)])
    files["sa_9.json"] = b'{"image": {}, "annotations": [17, null, {"segmentation": {"size": [48, 64]}}]}'
    files["sa_10.json"] = b"[" * 100_000
    return files


def write_tar(path: Path, files: Mapping[str, bytes], seed: int = 0) -> Path:
    """Members in random order, their names beginning with "./"."""
    names = sorted(files)
    np.random.default_rng(seed).shuffle(names)
    with tarfile.open(path, "w") as archive:
        for name in names:
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(files[name])
            archive.addfile(member, io.BytesIO(files[name]))
    return path


def write_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    path.mkdir(parents=True)
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path
