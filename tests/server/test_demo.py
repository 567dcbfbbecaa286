"""The demonstration, end to end on the tests' own repository."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from mvsam.evaluation.sheets import iou
from server.demo import deepest, run


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_demonstration_writes_pictures_and_honest_figures(demo_repository: Path, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "notes.txt").write_text("the user's own")
    summary = run(demo_repository, tmp_path / "demo")
    assert (tmp_path / "demo" / "notes.txt").is_file()
    assert summary == json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert summary["server"] == {"name": "triton", "version": "2.51.0"}
    assert summary["trained"] is False
    assert summary["views"] == 4 and len(summary["prompts"]) == 3
    for name in ("own_geometry", "exact_geometry"):
        folder = tmp_path / "demo" / name
        with Image.open(folder / "contact_sheet.png") as sheet:
            assert sheet.width > 500
        found = [read(path) > 0 for path in sorted((folder / "masks").iterdir())]
        exact = [read(path) > 0 for path in sorted((tmp_path / "demo" / "exact_masks").iterdir())]
        ious = [iou(a, b) for a, b in zip(found, exact, strict=True)]
        assert summary[name]["iou_per_view"] == ious, "the figures are those of the pictures"
        assert {"pi3", "sam2_encoder", "mask_decoder"} - set(summary[name]["stage_seconds"]) <= {"pi3"}


def test_deepest_pixel_is_the_middle() -> None:
    mask = np.zeros((9, 20), bool)
    mask[2:7, 5:10] = True
    assert deepest(mask) == (7, 4)
    assert deepest(np.ones((5, 5), bool)) == (2, 2)
